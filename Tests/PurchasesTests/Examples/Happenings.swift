import Foundation
import Identity
import JSON

@testable import Purchases

// What happens in the examples beyond the changes that random histories are made of.

extension StripeModel {
  /// An object gets other fields; nothing is told of it yet.
  mutating func sets(_ id: String, _ fields: [String: JSONValue]) { extra[id, default: [:]].merge(fields) { $1 } }

  /// A card issuer warns of a payment.
  mutating func warns(of payment: String, isActionable: Bool = true) {
    guard let charge = payments[payment]?.charge else { return }
    emit(
      isActionable ? "radar.early_fraud_warning.created" : "radar.early_fraud_warning.updated",
      [
        "id": "issfr_1", "object": "radar.early_fraud_warning", "actionable": .bool(isActionable),
        "charge": .string(charge), "payment_intent": .string(payment), "fraud_type": "unauthorized_use_of_card",
        "created": .integer(now),
      ])
  }

  /// A credit note is issued for an invoice.
  mutating func credits(_ invoice: String, amount: Int64, refunds: [String] = []) {
    var note = JSONObject([
      ("id", "cn_1"), ("object", "credit_note"), ("invoice", .string(invoice)), ("status", "issued"),
      ("type", "post_payment"), ("amount", .integer(amount)), ("created", .integer(now)),
    ])
    switch shape {
    case .old: note["refund"] = refunds.first.map { .string($0) } ?? .null
    case .new: note["refunds"] = .array(refunds.map { ["refund": .string($0), "amount_refunded": .integer(amount)] })
    }
    emit("credit_note.created", .object(note))
  }

  /// As versions tell it in which a dispute is a part of its charge.
  mutating func emitWithoutID(dispute id: String, _ type: String) {
    guard let dispute = disputes[id], var object = json(dispute).object else { return }
    object["id"] = nil
    emit("charge.dispute." + type, .object(object))
  }

  /// A part of a payment is returned, with a credit note that says for which line.
  mutating func returns(
    _ amount: Int64, of payment: String, for line: String, status: String = "succeeded"
  ) {
    let refund = newID("re")
    refunds[refund] = ModelRefund(id: refund, payment: payment, amount: amount, status: status, created: now)
    payments[payment]?.refunded += amount
    emit(charge: payment, "refunded")
    emit(refund: refund, "refund.created")
    emit(
      "credit_note.created",
      [
        "id": "cn_1", "object": "credit_note", "invoice": text(payments[payment]?.invoice), "status": "issued",
        "type": "post_payment", "amount": .integer(amount), "created": .integer(now),
        "refunds": [["refund": .string(refund), "amount_refunded": .integer(amount)]],
        "lines": [
          "object": "list", "has_more": false,
          "data": [
            [
              "id": "cnli_1", "object": "credit_note_line_item", "type": "invoice_line_item",
              "invoice_line_item": .string(line), "amount": .integer(amount),
            ]
          ],
        ],
      ])
  }

  /// A second payment of an invoice, beside the one it has.
  /// - Returns: the payment's id.
  mutating func pays(_ amount: Int64, of invoice: String) -> String {
    let payment = makePayment(amount: amount, isPaid: true, invoice: invoice)
    announce(payment: payment)
    announce(invoicePayment: payment)
    return payment
  }

  /// The period turns once more on a subscription that is not paid; the new invoice is due at once or later.
  mutating func turnsUnpaid(_ id: String, status: String, dueDays: Seconds? = nil) {
    guard let subscription = subscriptions[id] else { return }
    now = max(now, subscription.periodEnd)
    subscriptions[id]?.periodStart = subscription.periodEnd
    subscriptions[id]?.periodEnd = subscription.periodEnd + month
    subscriptions[id]?.status = status
    let invoice = bill(id, reason: "subscription_cycle")
    invoices[invoice]?.dueDate = dueDays.map { now + $0 * day }
    emit(subscription: id, "updated")
    emit(invoice: invoice, "finalized")
    if dueDays == nil { emit(invoice: invoice, "payment_failed") }
  }

  /// The subscription is said to have another status.
  mutating func becomes(_ status: String, _ id: String, telling type: String = "updated") {
    subscriptions[id]?.status = status
    emit(subscription: id, type)
  }

  /// The payment of a purchase, the newest first.
  func payment(of root: String, _ index: Int = 0) -> String { paid(by: root)[index].id }
}

extension Story {
  /// The newest fact of an invoice, subscription or session is told once more under another event's name.
  mutating func hears(_ type: String, of id: String? = nil) {
    happens { stripe, root in
      let object = id ?? root
      let name = String(type.split(separator: ".").last ?? "")
      if stripe.invoices[object] != nil {
        stripe.emit(invoice: object, name)
      } else if stripe.subscriptions[object] != nil {
        stripe.emit(subscription: object, name)
      } else {
        stripe.emit(session: object, name)
      }
    }
  }

  /// The causes that are shown with each line, in words.
  var causes: [[String]] { decision?.lines.map { $0.causes.sorted().map(\.rawValue) } ?? [] }

  /// What was sold, one of each license that a unit has or had.
  var sold: [String] { Set(service.kit.licenses.values.map(\.unit)).map(\.product.rawValue).sorted() }

  /// The newest invoice of the purchase.
  var newestInvoice: String {
    stripe.invoices.values.max { ($0.created, $0.id) < ($1.created, $1.id) }?.id ?? ""
  }
}
