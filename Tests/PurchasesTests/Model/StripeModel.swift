import Identity
import Foundation
import JSON
import StripeAPI

@testable import StripeIntegration

/// One event as it was made: what it says never changes, however late it is delivered.
struct ModelEvent: Sendable {
  let id: String
  let type: String
  let created: Seconds
  let effect: EventEffect
}

/// A small Stripe that keeps the objects of a few purchases, makes the events of every change, and answers questions with
/// the state of the moment. A value: a copy of it is a moment that can be asked later.
struct StripeModel: Sendable {
  var now: Seconds = 1_700_000_000
  let shape: Shape
  /// Embedded lists show their first element only.
  let cutsLists: Bool
  /// Whether the app may see `invoice_payment.paid`; without it the link between invoice and payment is asked for.
  let tellsInvoicePayments: Bool

  var sessions: [String: ModelSession] = [:]
  var subscriptions: [String: ModelSubscription] = [:]
  var invoices: [String: ModelInvoice] = [:]
  var payments: [String: ModelPayment] = [:]
  var refunds: [String: ModelRefund] = [:]
  var disputes: [String: ModelDispute] = [:]
  /// Objects as Stripe writes them that nothing here changes by itself: customers, prices.
  var others: [String: JSONValue] = [:]
  /// Fields that an object has beside, or in place of, those the model writes, by its id.
  var extra: [String: [String: JSONValue]] = [:]
  /// What the vendor has chosen for the account.
  var settings = TenantSettings()
  /// In the order they were made.
  private(set) var events: [ModelEvent] = []
  var counter = 0

  init(shape: Shape = .new, cutsLists: Bool = false, tellsInvoicePayments: Bool = true) {
    self.shape = shape
    self.cutsLists = cutsLists
    self.tellsInvoicePayments = tellsInvoicePayments
  }

  mutating func newID(_ prefix: String) -> String {
    counter += 1
    // Ids sort in no particular order.
    return "\(prefix)_\((counter &* 7_919) % 1_000)x\(counter)"
  }

  // MARK: Events

  mutating func emit(_ type: String, _ object: JSONValue) {
    let id = "evt_\(events.count + 1)"
    let body: JSONValue = [
      "id": .string(id), "object": "event", "type": .string(type), "created": .integer(now), "livemode": true,
      "account": "acct_1", "data": ["object": object],
    ]
    do {
      let effect = try EventTable.effect(of: try StripeEvent(body), settings: settings)
      events.append(ModelEvent(id: id, type: type, created: now, effect: effect))
    } catch {
      preconditionFailure("the model made an event that cannot be read: \(type): \(error)")
    }
  }

  mutating func emit(session id: String, _ type: String) {
    if let session = sessions[id] { emit("checkout.session." + type, told(id, json(session))) }
  }
  mutating func emit(subscription id: String, _ type: String) {
    if let subscription = subscriptions[id] {
      emit("customer.subscription." + type, told(id, json(subscription, shape)))
    }
  }
  mutating func emit(invoice id: String, _ type: String) {
    if let invoice = invoices[id] { emit("invoice." + type, told(id, json(invoice, shape, isCut: cutsLists))) }
  }
  mutating func emit(charge payment: String, _ type: String) {
    if let payment = payments[payment] { emit("charge." + type, told(payment.charge, json(charge: payment, shape))) }
  }
  mutating func emit(refund id: String, _ type: String) {
    if let refund = refunds[id] { emit(type, json(refund)) }
  }
  mutating func emit(dispute id: String, _ type: String) {
    if let dispute = disputes[id] { emit("charge.dispute." + type, json(dispute)) }
  }

  /// An object as Stripe tells it: with the fields that the model itself knows nothing of.
  func told(_ id: String, _ value: JSONValue) -> JSONValue {
    guard let fields = extra[id], var object = value.object else { return value }
    for (name, value) in fields { object[name] = value }
    return .object(object)
  }

  // MARK: Questions

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
    case .price(let id): return try others[id.rawValue].map { .price(try .init($0)) } ?? .missing(question.key)
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
      let found = invoices.values.filter { $0.subscription == id.rawValue }.sorted { $0.id < $1.id }
      return .invoices(of: id, try found.map { try Stripe.Invoice(told($0.id, json($0, .new))) })
    case .creditNotes(let id): return .creditNotes(of: id, [])
    }
  }

  private func invoicePayments(of payment: String?) throws -> [Stripe.InvoicePayment] {
    guard let payment = payment.flatMap({ payments[$0] }), payment.invoice != nil else { return [] }
    return [try Stripe.InvoicePayment(json(invoicePaymentOf: payment))]
  }
}
