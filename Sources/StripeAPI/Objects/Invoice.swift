public import Foundation
public import JSON

extension Stripe {
  /// An invoice, read in the same way from both API shapes (API reference, "Invoices"). Since 2025-03-31 the subscription is
  /// under `parent`, prices are under `pricing`, and payments are in a list of their own.
  public struct Invoice: Hashable, Sendable, Codable {
    public enum Status: String, Hashable, Sendable, Codable { case draft, open, paid, uncollectible, void }

    /// How the invoice is to be paid.
    public enum CollectionMethod: String, Hashable, Sendable, Codable {
      case chargeAutomatically = "charge_automatically"
      case sendInvoice = "send_invoice"
    }

    public struct Line: Hashable, Sendable, Codable {
      /// What kind of thing the line bills, according to the line's shape.
      public enum Kind: String, Hashable, Sendable, Codable {
        /// An item of a subscription, by `subscription_item_details` or, in the old shape, type `subscription`.
        case subscriptionItem
        /// An invoice item, by `invoice_item_details` or, in the old shape, type `invoiceitem`.
        case invoiceItem
        /// A kind newer than this program.
        case unknown
      }

      /// `il_…`
      public let id: LineID
      public let price: PriceID?
      public let product: ProductID?
      public let quantity: Int
      public let amount: Int64
      public let isProration: Bool
      /// Whether a proration names the lines that it credits (`proration_details.credited_items`): then it gives back unused
      /// time, whatever its amount. Nil for lines that were stored before this field was read.
      public let creditsLines: Bool?
      /// Nil for lines that were stored before this field was read.
      public let kind: Kind?
      public let subscription: SubscriptionID?
      public let subscriptionItem: SubscriptionItemID?
      /// The service period of the line, which is not the invoice's own period.
      public let periodStart: Date?
      public let periodEnd: Date?
    }

    public let id: InvoiceID
    public let status: Status
    public let billingReason: String?
    public let customer: CustomerID?
    public let customerEmail: String?
    public let customerName: String?
    public let subscription: SubscriptionID?
    /// The payments that the invoice itself names; the new shape names them only when expanded.
    public private(set) var paymentIntents: [PaymentIntentID]
    public private(set) var charge: ChargeID?
    public private(set) var lines: [Line]
    public private(set) var hasMoreLines: Bool
    public let amountPaid: Int64
    public let total: Int64
    /// How much was credited before anything was paid; nil for nothing.
    public let creditedBeforePayment: Int64?
    /// How much was credited after it was paid; nil for nothing.
    public let creditedAfterPayment: Int64?
    public let currency: String?
    /// How many times Stripe has tried to charge it.
    public let attemptCount: Int64
    public let nextPaymentAttempt: Date?
    /// Nil if the shape does not say it.
    public let collectionMethod: CollectionMethod?
    /// The date until which a sent invoice must be paid.
    public let dueDate: Date?
    /// When the invoice was made, usually as a draft. This is neither when it was due nor when it was paid.
    public let created: Date
    /// When it could first be paid.
    public let finalizedAt: Date?
    public let paidAt: Date?
    /// The clock that a test purchase lives by; nil for real time.
    public let testClock: String?

    public init(_ value: JSONValue) throws(StripeObjectError) {
      let reader = try ObjectReader(value, kind: "invoice")
      id = try reader.requiredID("id")
      status = reader.string("status").map { Status(rawValue: $0) ?? .draft } ?? Self.formerStatus(reader)
      billingReason = reader.string("billing_reason")
      customer = reader.id("customer")
      customerEmail = reader.string("customer_email")
      customerName = reader.string("customer_name")
      subscription =
        ObjectReader.id(reader["parent"]?["subscription_details"]?["subscription"]) ?? reader.id("subscription")
      var intents: [PaymentIntentID] = []
      var paidBy: ChargeID?
      for payment in reader.list("payments").elements {
        if let id: PaymentIntentID = ObjectReader.id(payment["payment"]?["payment_intent"]) { intents.append(id) }
        paidBy = paidBy ?? ObjectReader.id(payment["payment"]?["charge"])
      }
      if let old: PaymentIntentID = reader.id("payment_intent"), !intents.contains(old) { intents.append(old) }
      paymentIntents = intents
      charge = reader.id("charge") ?? paidBy
      let list = reader.list("lines")
      lines = try list.elements.map { value throws(StripeObjectError) in try Self.line(value) }
      hasMoreLines = list.hasMore
      amountPaid = reader.amount("amount_paid") ?? 0
      total = reader.amount("total") ?? 0
      creditedBeforePayment = reader.amount("pre_payment_credit_notes_amount").flatMap { $0 > 0 ? $0 : nil }
      creditedAfterPayment = reader.amount("post_payment_credit_notes_amount").flatMap { $0 > 0 ? $0 : nil }
      currency = reader.string("currency")
      attemptCount = reader.integer("attempt_count") ?? 0
      nextPaymentAttempt = reader.date("next_payment_attempt")
      // Before 2018-05-21 the field was `billing`, with the same words.
      collectionMethod = (reader.string("collection_method") ?? reader.string("billing"))
        .flatMap(CollectionMethod.init(rawValue:))
      dueDate = reader.date("due_date")
      created = reader.date("created") ?? ObjectReader.date(reader["date"]) ?? Date(timeIntervalSince1970: 0)
      let transitions = reader["status_transitions"]
      finalizedAt = ObjectReader.date(transitions?["finalized_at"]) ?? reader.date("finalized_at")
      paidAt = ObjectReader.date(transitions?["paid_at"])
      testClock = reader.text("test_clock")
    }

    /// Before 2018-11-08 invoices had no status, only flags: paid, forgiven, closed (Stripe no longer asks for them) and
    /// attempted (Stripe docs, "Invoices API updates"). A sent invoice is asked for without attempts.
    private static func formerStatus(_ reader: ObjectReader) -> Status {
      if reader.bool("paid") { return .paid }
      if reader.bool("forgiven") || reader.bool("closed") { return .uncollectible }
      return reader.bool("attempted") || reader.date("due_date") != nil ? .open : .draft
    }

    /// Nothing was paid, because credit notes took all of it back before. Stripe calls such an invoice paid (API reference,
    /// "Credit Notes").
    public var isCreditedInFull: Bool { amountPaid == 0 && total > 0 && (creditedBeforePayment ?? 0) >= total }

    /// The invoice with all its lines, as `/v1/invoices/{id}/lines` lists them.
    public func withAllLines(_ values: [JSONValue]) throws(StripeObjectError) -> Invoice {
      var whole = self
      whole.lines = try values.map { value throws(StripeObjectError) in try Self.line(value) }
      whole.hasMoreLines = false
      return whole
    }

    /// The invoice with the payments that `/v1/invoice_payments` lists for it.
    public func withPayments(_ payments: [InvoicePayment]) -> Invoice {
      var whole = self
      whole.paymentIntents = payments.compactMap(\.paymentIntent)
      whole.charge = payments.compactMap(\.charge).first ?? charge
      return whole
    }

    /// The value, unless it is null. The test is explicit because `nil` beside a `JSONValue` would mean JSON's null.
    private static func present(_ value: JSONValue?) -> JSONValue? {
      guard let value, !value.isNull else { return nil }
      return value
    }

    private static func line(_ value: JSONValue) throws(StripeObjectError) -> Line {
      let reader = try ObjectReader(value, kind: "line_item")
      let details = present(reader["pricing"]?["price_details"])
      let priceValue = reader["price"] ?? reader["plan"]
      // Of the two kinds of parent, the unused one is null.
      let itemParent = present(reader["parent"]?["subscription_item_details"])
      let invoiceItemParent = present(reader["parent"]?["invoice_item_details"])
      // In older shapes a subscription's pending items also name its item. The new shape does not, so it is not read here.
      let isInvoiceItem = invoiceItemParent != nil || reader.string("type") == "invoiceitem"
      let parentKind = reader["parent"]?["type"]?.string ?? reader.string("type")
      let kind: Line.Kind =
        switch parentKind {
        case _ where isInvoiceItem: .invoiceItem
        case "subscription_item_details", "subscription", nil: .subscriptionItem
        default: .unknown
        }
      let proration = itemParent ?? invoiceItemParent
      let credited =
        present(proration?["proration_details"]?["credited_items"])
        ?? present(reader["proration_details"]?["credited_items"])
      return Line(
        id: try reader.requiredID("id"),
        price: ObjectReader.id(details?["price"]) ?? ObjectReader.id(priceValue),
        product: ObjectReader.id(details?["product"]) ?? ObjectReader.id(priceValue?["product"]),
        quantity: reader.quantity("quantity") ?? 1,
        amount: reader.amount("amount") ?? 0,
        isProration: itemParent?["proration"]?.bool ?? invoiceItemParent?["proration"]?.bool
          ?? reader.bool("proration"),
        creditsLines: credited != nil, kind: kind,
        subscription: ObjectReader.id(itemParent?["subscription"]) ?? reader.id("subscription")
          ?? ObjectReader.id(invoiceItemParent?["subscription"]),
        subscriptionItem: isInvoiceItem
          ? nil : ObjectReader.id(itemParent?["subscription_item"]) ?? reader.id("subscription_item"),
        periodStart: ObjectReader.date(reader["period"]?["start"]),
        periodEnd: ObjectReader.date(reader["period"]?["end"]))
    }
  }

  /// The link between an invoice and what paid it, an object of its own since 2025-03-31 (API reference, "Invoice
  /// Payments").
  public struct InvoicePayment: Hashable, Sendable, Codable {
    public let id: InvoicePaymentID
    public let invoice: InvoiceID
    public let paymentIntent: PaymentIntentID?
    public let charge: ChargeID?
    public let isPaid: Bool

    public init(_ value: JSONValue) throws(StripeObjectError) {
      let reader = try ObjectReader(value, kind: "invoice_payment")
      id = try reader.requiredID("id")
      invoice = try reader.requiredID("invoice")
      paymentIntent = ObjectReader.id(reader["payment"]?["payment_intent"])
      charge = ObjectReader.id(reader["payment"]?["charge"])
      isPaid = reader.string("status") == "paid"
    }
  }
}
