import Identity
import JSON
import StripeAPI

@testable import Purchases

extension StripeModel {
  /// What Stripe answers at this moment, read as `StripeQuestions` reads it.
  func answer(_ question: Question) throws -> Snapshot {
    switch question {
    case .checkoutSession(let id):
      return try sessions[id.rawValue].map { .checkoutSession(try .init(told($0.id, json($0)))) }
        ?? .missing(question.key)
    case .lineItems(let id):
      let lines = sessions[id.rawValue]?.lines ?? []
      return .lineItems(of: id, try lines.map { try Stripe.LineItem(json(lineItem: $0)) })
    case .subscription(let id):
      return try subscriptions[id.rawValue].map { .subscription(try .init(told($0.id, json($0, .new)))) }
        ?? .missing(question.key)
    case .invoice(let id):
      guard let invoice = invoices[id.rawValue] else { return .missing(question.key) }
      var read = try Stripe.Invoice(told(invoice.id, json(invoice, .new)))
      if read.status == .paid, read.total > 0 { read = read.withPayments(try invoicePayments(of: invoice.payment)) }
      return .invoice(read)
    case .paymentIntent(let id):
      return try payments[id.rawValue].map { .paymentIntent(try .init(told($0.id, json(intent: $0, .new)))) }
        ?? .missing(question.key)
    case .charge(let id):
      let payment = payments.values.first { $0.charge == id.rawValue }
      return try payment.map { .charge(try .init(told($0.charge, json(charge: $0, .new)))) } ?? .missing(question.key)
    case .refund(let id):
      return try refunds[id.rawValue].map { .refund(try .init(json($0))) } ?? .missing(question.key)
    case .dispute(let id):
      return try disputes[id.rawValue].map { .dispute(try .init(json($0))) } ?? .missing(question.key)
    case .refunds(let charge):
      let found = refunds.values.filter { payments[$0.payment]?.charge == charge.rawValue }.map(\.id).sorted()
      return .refunds(of: charge, found.map { Stripe.RefundID($0) })
    case .customer(let id):
      return try others[id.rawValue].map { .customer(try .init($0)) } ?? .missing(question.key)
    case .price(let id):
      let known =
        others[id.rawValue]
        ?? [id.rawValue].first(where: Catalog.isKnown).map { price($0, recurring: !Catalog.isOneTime($0)) }
      return try known.map { .price(try .init($0)) } ?? .missing(question.key)
    case .sessionsBehind(let search, let buyer, _):
      let found = sessions.values.filter { session in
        guard case .customer(let customer) = buyer else { return true }
        return session.customer == customer.rawValue
      }
      return .sessionsBehind(
        search, found.filter { $0.invoice == search.invoice.rawValue }.map(\.id).sorted().map { .init($0) })
    case .sessions(let payment):
      let found = sessions.values.filter { $0.payment == payment.rawValue }.map(\.id).sorted()
      return .sessions(of: payment, found.map { Stripe.CheckoutSessionID($0) })
    case .invoicePayments(let payment):
      return .invoicePayments(of: payment, try invoicePayments(of: payment.rawValue))
    case .invoices(let id):
      return .invoices(of: id, try invoices(ofSubscription: id.rawValue).map { try Stripe.Invoice($0) })
    case .creditNotes(let id):
      return .creditNotes(of: id, try creditNotes(ofInvoice: id.rawValue).map { try Stripe.CreditNote($0) })
    }
  }

  /// All invoices of a subscription as Stripe lists them, the newest first.
  func invoices(ofSubscription id: String) -> [JSONValue] {
    invoices.values.filter { $0.subscriptions.contains(id) }.sorted { $0.number > $1.number }
      .map { told($0.id, json($0, .new)) }
  }

  /// All credit notes of an invoice as Stripe lists them, the newest first.
  func creditNotes(ofInvoice id: String) -> [JSONValue] {
    creditNotes.values.filter { $0.invoice == id }.sorted { ($0.created, $0.id) > ($1.created, $1.id) }
      .map { json($0, .new) }
  }

  private func invoicePayments(of payment: String?) throws -> [Stripe.InvoicePayment] {
    guard let payment = payment.flatMap({ payments[$0] }), payment.invoice != nil else { return [] }
    return [try Stripe.InvoicePayment(json(invoicePaymentOf: payment))]
  }
}
