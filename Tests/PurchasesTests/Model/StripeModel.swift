import Foundation
import Identity
import JSON
import StripeAPI

@testable import Purchases

/// One event as it was made: what it says never changes, however late it is delivered.
struct ModelEvent: Sendable {
  let id: String
  let type: String
  let created: Seconds
  let effect: EventEffect
  /// The object as it was told.
  let object: JSONValue
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
  /// Whether subscriptions are billed in flexible mode.
  let billsFlexibly: Bool

  var sessions: [String: ModelSession] = [:]
  var subscriptions: [String: ModelSubscription] = [:]
  var invoices: [String: ModelInvoice] = [:]
  var payments: [String: ModelPayment] = [:]
  var refunds: [String: ModelRefund] = [:]
  var disputes: [String: ModelDispute] = [:]
  var creditNotes: [String: ModelCreditNote] = [:]
  /// What the customer has to their credit.
  var balance: Int64 = 0
  /// Objects as Stripe writes them that nothing here changes by itself: customers, prices.
  var others: [String: JSONValue] = [:]
  /// Fields that an object has beside, or in place of, those the model writes, by its id.
  var extra: [String: [String: JSONValue]] = [:]
  /// What the vendor has chosen for the account.
  var settings = TenantSettings()
  /// In the order they were made.
  private(set) var events: [ModelEvent] = []
  var counter = 0

  init(
    shape: Shape = .new, cutsLists: Bool = false, tellsInvoicePayments: Bool = true, billsFlexibly: Bool = false
  ) {
    self.shape = shape
    self.cutsLists = cutsLists
    self.tellsInvoicePayments = tellsInvoicePayments
    self.billsFlexibly = billsFlexibly
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
      events.append(ModelEvent(id: id, type: type, created: now, effect: effect, object: object))
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
    stamp(id)
    if let invoice = invoices[id] { emit("invoice." + type, told(id, json(invoice, shape, isCut: cutsLists))) }
  }
  /// The times of what has become of an invoice are those of when it is first told.
  private mutating func stamp(_ id: String) {
    guard let invoice = invoices[id] else { return }
    if invoice.status != "draft", invoice.finalizedAt == nil { invoices[id]?.finalizedAt = now }
    switch invoice.status {
    case "paid": if invoice.paidAt == nil { invoices[id]?.paidAt = now }
    case "void": if invoice.voidedAt == nil { invoices[id]?.voidedAt = now }
    case "uncollectible": if invoice.uncollectibleAt == nil { invoices[id]?.uncollectibleAt = now }
    default: break
    }
  }

  mutating func emit(intent id: String, _ type: String) {
    if let payment = payments[id] { emit("payment_intent." + type, told(id, json(intent: payment, shape))) }
  }
  mutating func emit(creditNote id: String, _ type: String) {
    if let note = creditNotes[id] { emit("credit_note." + type, json(note, shape)) }
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
}
