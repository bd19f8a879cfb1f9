public import Identity
public import LicenseKitAPI

// Customers and commerce records.
extension LicenseKitHTTPClient {
  /// Operation `listCustomers` of the contract.
  public func listCustomers(limit: Int?) async throws(LicenseKitError) -> [Customer] {
    try await send(.list("customers", limit: limit))
  }

  /// Operation `createCustomer` of the contract.
  public func createCustomer(_ body: CustomerCreateRequest) async throws(LicenseKitError) -> Customer {
    try await send(.create("customers"), body)
  }

  /// Operation `getCustomer` of the contract.
  public func getCustomer(_ id: CustomerID) async throws(LicenseKitError) -> Customer {
    try await send(.get("customers", id.rawValue))
  }

  /// Operation `updateCustomer` of the contract.
  public func updateCustomer(_ id: CustomerID, _ body: CustomerUpdateRequest) async throws(LicenseKitError) -> Customer
  {
    try await send(.patch("customers", id.rawValue), body)
  }

  /// Operation `deleteCustomer` of the contract.
  public func deleteCustomer(_ id: CustomerID) async throws(LicenseKitError) {
    try await sendEmpty(.delete("customers", id.rawValue))
  }

  /// Operation `listProductOrders` of the contract.
  public func listProductOrders(_ id: ProductID, limit: Int?) async throws(LicenseKitError) -> [Order] {
    try await send(.list("products", id.rawValue, "orders", limit: limit))
  }

  /// Operation `createOrder` of the contract.
  public func createOrder(_ id: ProductID, _ body: OrderCreateRequest) async throws(LicenseKitError) -> Order {
    try await send(.create("products", id.rawValue, "orders"), body)
  }

  /// Operation `getOrder` of the contract.
  public func getOrder(_ id: OrderID) async throws(LicenseKitError) -> Order {
    try await send(.get("orders", id.rawValue))
  }

  /// Operation `updateOrder` of the contract.
  public func updateOrder(_ id: OrderID, _ body: OrderUpdateRequest) async throws(LicenseKitError) -> Order {
    try await send(.patch("orders", id.rawValue), body)
  }

  /// Operation `listProductSubscriptions` of the contract.
  public func listProductSubscriptions(_ id: ProductID, limit: Int?) async throws(LicenseKitError) -> [Subscription] {
    try await send(.list("products", id.rawValue, "subscriptions", limit: limit))
  }

  /// Operation `createSubscription` of the contract.
  public func createSubscription(_ id: ProductID, _ body: SubscriptionCreateRequest) async throws(LicenseKitError)
    -> Subscription
  {
    try await send(.create("products", id.rawValue, "subscriptions"), body)
  }

  /// Operation `getSubscription` of the contract.
  public func getSubscription(_ id: SubscriptionID) async throws(LicenseKitError) -> Subscription {
    try await send(.get("subscriptions", id.rawValue))
  }

  /// Operation `updateSubscription` of the contract.
  public func updateSubscription(_ id: SubscriptionID, _ body: SubscriptionUpdateRequest) async throws(LicenseKitError)
    -> Subscription
  {
    try await send(.patch("subscriptions", id.rawValue), body)
  }

}
