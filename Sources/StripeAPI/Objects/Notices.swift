public import Foundation
public import Identity
public import JSON

extension Stripe {
  /// A card issuer's early warning that a payment may be fraud; it often comes before a dispute (API reference, "Early
  /// Fraud Warnings").
  public struct FraudWarning: Hashable, Sendable, Codable {
    public let id: FraudWarningID
    public let charge: ChargeID?
    public let paymentIntent: PaymentIntentID?
    /// False after the charge was disputed or fully refunded: then nothing can be done about it.
    public let isActionable: Bool
    /// Stripe's own word, for example `unauthorized_use_of_card`.
    public let fraudType: String?
    public let created: Date

    public init(_ value: JSONValue) throws(StripeObjectError) {
      let reader = try ObjectReader(value, kind: "radar.early_fraud_warning")
      id = try reader.requiredID("id")
      charge = reader.id("charge")
      paymentIntent = reader.id("payment_intent")
      isActionable = reader["actionable"]?.bool ?? true
      fraudType = reader.string("fraud_type")
      created = reader.date("created") ?? Date(timeIntervalSince1970: 0)
    }
  }

  /// A credit note: less is owed of an invoice, or some of it is given back (API reference, "Credit Notes").
  public struct CreditNote: Hashable, Sendable, Codable {
    public let id: CreditNoteID
    public let invoice: InvoiceID
    public let isVoid: Bool
    public let amount: Int64
    /// The refunds made with it: one in the old shape, a list in the new. If there is none, the buyer got credit, or money
    /// outside Stripe.
    public let refunds: [RefundID]
    /// How much was given back outside of Stripe; nil for nothing.
    public let outOfBandAmount: Int64?
    /// The invoice lines that it takes back; empty if it names none. Nil for notes that were stored before this field was
    /// read.
    public let lines: [Line]?
    public let created: Date

    /// How much of one line of the invoice was taken back.
    public struct Line: Hashable, Sendable, Codable {
      public let invoiceLine: LineID
      public let amount: Int64
    }

    public init(_ value: JSONValue) throws(StripeObjectError) {
      let reader = try ObjectReader(value, kind: "credit_note")
      id = try reader.requiredID("id")
      invoice = try reader.requiredID("invoice")
      isVoid = reader.string("status") == "void"
      amount = reader.amount("amount") ?? 0
      outOfBandAmount = reader.amount("out_of_band_amount").flatMap { $0 > 0 ? $0 : nil }
      lines = reader.list("lines").elements.compactMap { line in
        guard let id: LineID = ObjectReader.id(line["invoice_line_item"]), let amount = line["amount"]?.integer else {
          return nil
        }
        return Line(invoiceLine: id, amount: min(max(amount, 0), ObjectReader.largestAmount))
      }
      var refunds = (reader["refunds"]?.array ?? []).compactMap { refund -> RefundID? in
        ObjectReader.id(refund["refund"])
      }
      if let old: RefundID = reader.id("refund"), !refunds.contains(old) { refunds.append(old) }
      self.refunds = refunds
      created = reader.date("created") ?? Date(timeIntervalSince1970: 0)
    }
  }
}
