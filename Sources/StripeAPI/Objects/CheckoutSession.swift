public import Foundation
public import JSON

extension Stripe {
  /// A Checkout Session, made by an integration or by a Payment Link (API reference, "Checkout Sessions").
  public struct CheckoutSession: Hashable, Sendable, Codable {
    public enum Mode: String, Hashable, Sendable, Codable { case payment, subscription, setup, other }
    public enum Status: String, Hashable, Sendable, Codable { case open, complete, expired }
    /// `unpaid` with a complete session means that the money is still on its way (delayed payment methods).
    public enum PaymentStatus: String, Hashable, Sendable, Codable { case paid, unpaid, noPaymentRequired }

    public let id: CheckoutSessionID
    public let mode: Mode
    public let status: Status
    public let paymentStatus: PaymentStatus
    /// Nil for guests in payment mode.
    public let customer: CustomerID?
    /// What the buyer typed, or the prefilled address if the buyer typed nothing.
    public let email: String?
    public let name: String?
    public let subscription: SubscriptionID?
    /// Nil when the total is zero, and in subscription mode.
    public let paymentIntent: PaymentIntentID?
    public let invoice: InvoiceID?
    public let paymentLink: String?
    public let clientReferenceID: String?
    public let metadata: [String: String]
    public let amountTotal: Int64?
    public let currency: String?
    /// Nil means no, as in sessions that were stored before this field was read.
    private let managedPayments: Bool?
    public let created: Date

    public init(_ value: JSONValue) throws(StripeObjectError) {
      let reader = try ObjectReader(value, kind: "checkout.session")
      id = try reader.requiredID("id")
      mode = Mode(rawValue: try reader.requiredString("mode")) ?? .other
      switch reader.string("payment_status") {
      case "paid": paymentStatus = .paid
      case "no_payment_required": paymentStatus = .noPaymentRequired
      default: paymentStatus = .unpaid
      }
      // Sessions from before the field existed have none; if paid, they are complete.
      status =
        reader.string("status").map { Status(rawValue: $0) ?? .open } ?? (paymentStatus == .paid ? .complete : .open)
      customer = reader.id("customer")
      let details = reader["customer_details"]
      email = details?["email"]?.saying ?? reader.string("customer_email")
      name = details?["name"]?.saying
      subscription = reader.id("subscription")
      paymentIntent = reader.id("payment_intent")
      invoice = reader.id("invoice")
      paymentLink = reader.text("payment_link")
      clientReferenceID = reader.string("client_reference_id")
      metadata = reader.metadata
      amountTotal = reader.amount("amount_total")
      currency = reader.string("currency")
      managedPayments = reader["managed_payments"]?["enabled"]?.bool == true ? true : nil
      created = reader.date("created") ?? Date(timeIntervalSince1970: 0)
    }

    /// Stripe is the merchant of record of the sale (Stripe docs, "Managed Payments").
    public var isManaged: Bool { managedPayments ?? false }

    /// "Fulfil when not unpaid" (Stripe docs, "Fulfill orders").
    public var isPaid: Bool { status == .complete && paymentStatus != .unpaid }
  }

  /// One line of a Checkout Session; never part of the event, always fetched from `/line_items`.
  public struct LineItem: Hashable, Sendable, Codable {
    /// `li_…`
    public let id: LineID
    public let price: PriceID
    public let product: ProductID
    /// Nil counts as one.
    public let quantity: Int
    /// Prices of type `recurring` belong to the session's subscription, not to a one-time sale.
    public let isRecurring: Bool
    public let description: String?
    public let amountTotal: Int64?

    public init(_ value: JSONValue) throws(StripeObjectError) {
      let reader = try ObjectReader(value, kind: "item")
      id = try reader.requiredID("id")
      guard let priceValue = reader["price"], let price: PriceID = ObjectReader.id(priceValue),
        let product: ProductID = ObjectReader.id(priceValue["product"])
      else { throw reader.missing("price") }
      self.price = price
      self.product = product
      quantity = reader.quantity("quantity") ?? 1
      isRecurring = priceValue["type"]?.string == "recurring"
      description = reader.string("description")
      amountTotal = reader.amount("amount_total")
    }
  }
}
