import Foundation
import Identity
import JSON
import Purchases
import ServerKit
import StripeAPI
import StripeHTTP

/// Asks Stripe the questions of a decision.
struct StripeQuestions {
  /// What Stripe said, and when.
  private struct Answer {
    let snapshot: Snapshot
    /// On Stripe's clock, and not later than the moment of the answer.
    let answeredAt: Date
  }

  let session: StripeSession

  func ask(_ question: Question) async throws -> Reconciliation.Answer {
    let answer: Answer
    do {
      answer = try await self.answer(question)
    } catch let error as StripeError where error.retry == .notFound {
      answer = Answer(snapshot: .missing(question.key), answeredAt: .distantPast)
    }
    return Reconciliation.Answer(question: question, snapshot: answer.snapshot, answeredAt: answer.answeredAt)
  }

  private func answer(_ question: Question) async throws -> Answer {
    switch question {
    case .checkoutSession(let id):
      return try read(try await session.checkoutSession(id)) { .checkoutSession(try Stripe.CheckoutSession($0)) }
    case .subscription(let id): return try await subscription(id)
    case .invoice(let id): return try await invoice(id)
    case .paymentIntent(let id):
      return try read(try await session.paymentIntent(id)) { .paymentIntent(try Stripe.PaymentIntent($0)) }
    case .charge(let id): return try read(try await session.charge(id)) { .charge(try Stripe.Charge($0)) }
    case .refund(let id): return try read(try await session.refund(id)) { .refund(try Stripe.Refund($0)) }
    case .dispute(let id): return try read(try await session.dispute(id)) { .dispute(try Stripe.Dispute($0)) }
    case .customer(let id): return try read(try await session.customer(id)) { .customer(try Stripe.Customer($0)) }
    case .price(let id): return try read(try await session.price(id)) { .price(try Stripe.Price($0)) }
    case .sessionsBehind(let search, let buyer, let moment): return try await sessions(search, buyer, around: moment)
    case .lineItems(let id):
      let list = try await session.checkoutSessionLineItems(id)
      return Answer(
        snapshot: .lineItems(of: id, try list.items.map { try Stripe.LineItem($0) }), answeredAt: list.readNotBefore)
    case .invoices(let id):
      let page = try await session.invoices(subscription: id)
      return Answer(
        snapshot: .invoices(of: id, try page.items.map { try Stripe.Invoice($0) }), answeredAt: page.readNotBefore)
    case .creditNotes(let id):
      let page = try await session.creditNotes(invoice: id)
      return Answer(
        snapshot: .creditNotes(of: id, try page.items.map { try Stripe.CreditNote($0) }),
        answeredAt: page.readNotBefore)
    case .refunds(let charge):
      let list = try await session.refunds(charge: charge)
      return Answer(
        snapshot: .refunds(of: charge, try list.items.map { try Stripe.Refund($0).id }), answeredAt: list.readNotBefore)
    case .sessions(let payment):
      let list = try await session.checkoutSessions(paymentIntent: payment)
      return Answer(
        snapshot: .sessions(of: payment, try list.items.map { try Stripe.CheckoutSession($0).id }),
        answeredAt: list.readNotBefore)
    case .invoicePayments(let payment):
      let list = try await session.invoicePayments(paymentIntent: payment)
      return Answer(
        snapshot: .invoicePayments(of: payment, try list.items.map { try Stripe.InvoicePayment($0) }),
        answeredAt: list.readNotBefore)
    }
  }

  /// A session ends at most a day after it was made (API reference, "Checkout Sessions": `expires_at`), so a session that
  /// made an invoice is not much older than that.
  private func sessions(
    _ search: SessionSearch, _ buyer: Question.Buyer, around moment: Date
  ) async throws -> Answer {
    let window = moment.addingTimeInterval(-2 * 86_400)...moment.addingTimeInterval(3_600)
    let list: StripeList
    switch buyer {
    case .customer(let id):
      list = try await session.checkoutSessions(customer: id, email: nil, created: window)
    case .email(let address):
      list = try await session.checkoutSessions(customer: nil, email: address, created: window)
    }
    let found = try list.items.map { try Stripe.CheckoutSession($0) }.filter { $0.invoice == search.invoice }
    return Answer(snapshot: .sessionsBehind(search, found.map(\.id)), answeredAt: list.readNotBefore)
  }

  private func subscription(_ id: Stripe.SubscriptionID) async throws -> Answer {
    let answer = try await session.subscription(id)
    var subscription = try Stripe.Subscription(answer.value)
    if subscription.hasMoreItems {
      subscription = try subscription.withAllItems(try await session.subscriptionItems(id).items)
    }
    return Answer(snapshot: .subscription(subscription), answeredAt: answer.readNotBefore)
  }

  /// An invoice with all its lines and with its payments, which the new API shape does not include.
  private func invoice(_ id: Stripe.InvoiceID) async throws -> Answer {
    let answer = try await session.invoice(id)
    var invoice = try Stripe.Invoice(answer.value)
    if invoice.hasMoreLines {
      invoice = try invoice.withAllLines(try await session.invoiceLines(id).items)
    }
    if invoice.paymentIntents.isEmpty, invoice.total > 0, invoice.status == .paid {
      let payments = try await session.invoicePayments(invoice: id)
      invoice = invoice.withPayments(try payments.items.map { try Stripe.InvoicePayment($0) })
    }
    return Answer(snapshot: .invoice(invoice), answeredAt: answer.readNotBefore)
  }

  private func read(_ answer: StripeAnswer, _ snapshot: (JSONValue) throws -> Snapshot) throws -> Answer {
    Answer(snapshot: try snapshot(answer.value), answeredAt: answer.readNotBefore)
  }
}
