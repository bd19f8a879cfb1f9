public import Foundation
public import Identity
public import Identity
public import JSON

extension Stripe {
  /// A PaymentIntent: money on its way. It names no product (API reference, "PaymentIntents").
  public struct PaymentIntent: Hashable, Sendable, Codable {
    public let id: PaymentIntentID
    /// Stripe's own word, open-ended.
    public let status: String
    public let latestCharge: ChargeID?
    public let customer: CustomerID?
    /// Only in the old shape; with the new one, invoice payments are asked for.
    public let invoice: InvoiceID?
    public let amount: Int64
    /// Where Stripe sends the receipt, for payments that name what they sell.
    public let receiptEmail: String?
    /// What the payment says it sells; nil if it says nothing.
    public let sale: NamedSale?
    public let created: Date

    public init(_ value: JSONValue) throws(StripeObjectError) {
      let reader = try ObjectReader(value, kind: "payment_intent")
      id = try reader.requiredID("id")
      status = reader.string("status") ?? "unknown"
      // Before 2022-11-15 the charges were a list inside, newest first.
      latestCharge = reader.id("latest_charge") ?? ObjectReader.id(reader.list("charges").elements.first)
      customer = reader.id("customer")
      invoice = reader.id("invoice")
      amount = reader.amount("amount") ?? 0
      sale = NamedSale(reader.metadata)
      receiptEmail = sale == nil ? nil : reader.string("receipt_email")
      created = reader.date("created") ?? Date(timeIntervalSince1970: 0)
    }
  }

  /// What a payment of the merchant's own integration sells, according to its metadata.
  public struct NamedSale: Hashable, Sendable, Codable {
    public static let priceKey = "licensekit_stripe_price"
    public static let productKey = "licensekit_stripe_product"
    public static let quantityKey = "licensekit_quantity"

    public let price: PriceID?
    public let product: ProductID?
    /// Nil if the metadata does not contain a whole number of at least one.
    public let quantity: Int?

    init?(_ metadata: [String: String]) {
      func text(_ key: String) -> String? { metadata[key].flatMap { $0.isEmpty ? nil : $0 } }
      price = text(Self.priceKey).map { PriceID($0) }
      product = text(Self.productKey).map { ProductID($0) }
      quantity = text(Self.quantityKey).map { Int64($0).flatMap { $0 >= 1 ? ObjectReader.held($0) : nil } } ?? 1
      if price == nil, product == nil { return nil }
    }
  }

  /// A charge. `amountRefunded` is cumulative and absolute (API reference, "Charges").
  public struct Charge: Hashable, Sendable, Codable {
    public let id: ChargeID
    public let paymentIntent: PaymentIntentID?
    /// Old shape only.
    public let invoice: InvoiceID?
    public let customer: CustomerID?
    public let amount: Int64
    public let amountCaptured: Int64
    public let amountRefunded: Int64
    /// Stripe's own flag: true only for a full refund.
    public let isMarkedRefunded: Bool
    /// The money was taken. A hold on a card that was not captured yet does not count as paid.
    public let isPaid: Bool
    public let isDisputed: Bool
    public let created: Date

    public init(_ value: JSONValue) throws(StripeObjectError) {
      let reader = try ObjectReader(value, kind: "charge")
      id = try reader.requiredID("id")
      paymentIntent = reader.id("payment_intent")
      invoice = reader.id("invoice")
      customer = reader.id("customer")
      amount = reader.amount("amount") ?? 0
      amountCaptured = reader.amount("amount_captured") ?? amount
      amountRefunded = reader.amount("amount_refunded") ?? 0
      isMarkedRefunded = reader.bool("refunded")
      isPaid = reader.bool("paid") && reader["captured"]?.bool ?? true
      isDisputed = reader.bool("disputed")
      created = reader.date("created") ?? Date(timeIntervalSince1970: 0)
    }

    /// How much of the taken money was given back. What a partial capture leaves of a hold is shown as refunded too, but was
    /// never taken (Stripe docs, "Place a hold on a payment method"). An absolute amount, never added up over events.
    public var amountReturned: Int64 {
      if isMarkedRefunded { return amountCaptured }
      return min(max(amountRefunded - released, 0), amountCaptured)
    }

    /// What a partial capture left of the hold.
    public var released: Int64 { max(amount - amountCaptured, 0) }

    /// Everything that was taken has been given back.
    public var isFullyRefunded: Bool { isMarkedRefunded || (amountCaptured > 0 && amountReturned >= amountCaptured) }
  }

  /// A refund; it may still fail after it was created (API reference, "Refunds").
  public struct Refund: Hashable, Sendable, Codable {
    public let id: RefundID
    public let charge: ChargeID?
    public let paymentIntent: PaymentIntentID?
    public let amount: Int64
    /// `pending`, `requires_action`, `succeeded`, `failed`, `canceled`; open-ended.
    public let status: String
    public let created: Date

    public init(_ value: JSONValue) throws(StripeObjectError) {
      let reader = try ObjectReader(value, kind: "refund")
      id = try reader.requiredID("id")
      charge = reader.id("charge")
      paymentIntent = reader.id("payment_intent")
      amount = reader.amount("amount") ?? 0
      status = reader.string("status") ?? "succeeded"
      created = reader.date("created") ?? Date(timeIntervalSince1970: 0)
    }
  }

  /// A dispute or, while no money has moved, an inquiry (API reference, "Disputes").
  public struct Dispute: Hashable, Sendable, Codable {
    /// What a dispute's status means for the money.
    public enum Stage: String, Hashable, Sendable, Codable {
      /// An inquiry (`warning_…`) or a prevented dispute: no money has moved.
      case inquiry
      /// The money is withdrawn until the dispute is decided.
      case open
      case won
      case lost
    }

    public private(set) var id: DisputeID
    public let charge: ChargeID?
    public let paymentIntent: PaymentIntentID?
    public let amount: Int64
    /// Stripe's own word.
    public let status: String
    public let created: Date

    public init(_ value: JSONValue) throws(StripeObjectError) {
      let reader = try ObjectReader(value, kind: "dispute")
      charge = reader.id("charge")
      paymentIntent = reader.id("payment_intent")
      // Disputes of old versions are a part of their charge and have no id: a charge has one dispute at a time.
      guard let id: DisputeID = reader.id("id") ?? charge.map(Self.id(of:)) else { throw reader.missing("id") }
      self.id = id
      amount = reader.amount("amount") ?? 0
      status = reader.string("status") ?? "needs_response"
      created = reader.date("created") ?? Date(timeIntervalSince1970: 0)
    }

    private static func id(of charge: ChargeID) -> DisputeID { DisputeID("dispute_of_\(charge)") }

    /// Whether it came without an id, as a part of its charge: then Stripe cannot be asked for it.
    public var isWithoutID: Bool { charge.map { id == Self.id(of: $0) } ?? false }

    /// Whether both are one dispute, once with its id and once without. A charge may be disputed again later.
    public func isSame(as other: Dispute) -> Bool {
      if id == other.id { return true }
      guard charge == other.charge, isWithoutID != other.isWithoutID else { return false }
      let unknown = Date(timeIntervalSince1970: 0)
      return created == other.created || created == unknown || other.created == unknown
    }

    /// The same dispute under the id that another version has.
    public func identified(by other: Dispute) -> Dispute {
      var dispute = self
      dispute.id = other.id
      return dispute
    }

    public var stage: Stage {
      switch status {
      case "won": .won
      case "lost": .lost
      case "prevented": .inquiry
      case let word where word.hasPrefix("warning_"): .inquiry
      default: .open
      }
    }
  }
}
