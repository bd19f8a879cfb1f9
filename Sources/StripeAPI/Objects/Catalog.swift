public import JSON

extension Stripe {
  /// A buyer as the merchant knows them (API reference, "Customers").
  public struct Customer: Hashable, Sendable, Codable {
    public let id: CustomerID
    public let email: String?
    public let name: String?
    public let isDeleted: Bool
    /// The test clock of the customer's purchases; nil for real time.
    public let testClock: String?

    /// - Parameter isDeleted: whether the event is about the object's deletion, which the object itself does not say.
    public init(_ value: JSONValue, isDeleted: Bool = false) throws(StripeObjectError) {
      let reader = try ObjectReader(value, kind: "customer")
      id = try reader.requiredID("id")
      let isDeleted = isDeleted || reader.bool("deleted")
      self.isDeleted = isDeleted
      // For a deleted customer, nothing more is kept.
      email = isDeleted ? nil : reader.string("email")
      name = isDeleted ? nil : reader.string("name")
      testClock = reader.text("test_clock")
    }
  }

  /// What the merchant sells (API reference, "Products").
  public struct Product: Hashable, Sendable, Codable {
    public let id: ProductID
    public let name: String?
    public let isActive: Bool
    public let isDeleted: Bool

    /// - Parameter isDeleted: as for a customer.
    public init(_ value: JSONValue, isDeleted: Bool = false) throws(StripeObjectError) {
      let reader = try ObjectReader(value, kind: "product")
      id = try reader.requiredID("id")
      name = reader.string("name")
      isActive = reader.bool("active")
      self.isDeleted = isDeleted || reader.bool("deleted")
    }
  }

  /// The price of a product. Its amount and product never change (API reference, "Prices").
  public struct Price: Hashable, Sendable, Codable {
    public let id: PriceID
    public let product: ProductID?
    public let isRecurring: Bool
    public let interval: String?
    public let intervalCount: Int64?
    public let unitAmount: Int64?
    public let currency: String?
    public let nickname: String?
    public let lookupKey: String?
    public let isActive: Bool
    public let isDeleted: Bool

    /// - Parameter isDeleted: as for a customer.
    public init(_ value: JSONValue, isDeleted: Bool = false) throws(StripeObjectError) {
      let reader = try ObjectReader(value, kind: "price")
      id = try reader.requiredID("id")
      product = reader.id("product")
      // A plan, which older shapes have instead of a price, is always recurring and contains the interval itself.
      let isPlan = reader.string("object") == "plan"
      let rhythm = isPlan ? value : reader["recurring"]
      isRecurring = isPlan || reader.string("type") == "recurring"
      interval = rhythm?["interval"]?.string
      intervalCount = rhythm?["interval_count"]?.integer
      unitAmount = reader.integer(isPlan ? "amount" : "unit_amount")
      currency = reader.string("currency")
      nickname = reader.string("nickname")
      lookupKey = reader.string("lookup_key")
      isActive = reader.bool("active")
      self.isDeleted = isDeleted || reader.bool("deleted")
    }
  }
}
