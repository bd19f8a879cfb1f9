/// A LicenseKit server seen by the holder of a management token: one method per operation of the contract, named by its
/// operation id.
///
/// Over HTTP it is ``LicenseKitHTTPClient``; a server in the same process can implement it without HTTP, with the same
/// answers and errors. Every method throws ``LicenseKitError``, whose `retry` says what to do about it. Only operations that
/// take an idempotency key, those that set rather than add, and reads may be repeated blindly.
public protocol LicenseKitClient: Sendable {
  // Products
  /// Operation `listProducts`.
  func listProducts(limit: Int?) async throws(LicenseKitError) -> [Product]
  /// Operation `createProduct`.
  func createProduct(_ body: ProductCreateRequest) async throws(LicenseKitError) -> Product
  /// Operation `getProduct`.
  func getProduct(_ id: ProductID) async throws(LicenseKitError) -> Product
  /// Operation `updateProduct`.
  func updateProduct(_ id: ProductID, _ body: ProductUpdateRequest) async throws(LicenseKitError) -> Product
  /// Operation `deleteProduct`.
  func deleteProduct(_ id: ProductID) async throws(LicenseKitError)
  /// Operation `listProductVersions`.
  func listProductVersions(_ id: ProductID, limit: Int?) async throws(LicenseKitError) -> [ProductVersion]
  /// Operation `createProductVersion`.
  func createProductVersion(
    _ id: ProductID, _ body: ProductVersionCreateRequest
  ) async throws(LicenseKitError) -> ProductVersion

  // Policies
  /// Operation `listPoliciesByProduct`.
  func listPoliciesByProduct(_ id: ProductID, limit: Int?) async throws(LicenseKitError) -> [Policy]
  /// Operation `createPolicy`.
  func createPolicy(_ id: ProductID, _ body: PolicyCreateRequest) async throws(LicenseKitError) -> Policy
  /// Operation `getPolicy`.
  func getPolicy(_ id: PolicyID) async throws(LicenseKitError) -> Policy
  /// Operation `updatePolicy`.
  func updatePolicy(_ id: PolicyID, _ body: PolicyUpdateRequest) async throws(LicenseKitError) -> Policy
  /// Operation `deletePolicy`.
  func deletePolicy(_ id: PolicyID) async throws(LicenseKitError)

  // Features
  /// Operation `listFeaturesByProduct`.
  func listFeaturesByProduct(_ id: ProductID, limit: Int?) async throws(LicenseKitError) -> [Feature]
  /// Operation `createFeature`.
  func createFeature(_ id: ProductID, _ body: FeatureCreateRequest) async throws(LicenseKitError) -> Feature
  /// Operation `getFeature`.
  func getFeature(_ id: FeatureID) async throws(LicenseKitError) -> Feature

  // Customers
  /// Operation `listCustomers`.
  func listCustomers(limit: Int?) async throws(LicenseKitError) -> [Customer]
  /// Operation `createCustomer`.
  func createCustomer(_ body: CustomerCreateRequest) async throws(LicenseKitError) -> Customer
  /// Operation `getCustomer`.
  func getCustomer(_ id: CustomerID) async throws(LicenseKitError) -> Customer
  /// Operation `updateCustomer`.
  func updateCustomer(_ id: CustomerID, _ body: CustomerUpdateRequest) async throws(LicenseKitError) -> Customer
  /// Operation `deleteCustomer`.
  func deleteCustomer(_ id: CustomerID) async throws(LicenseKitError)

  // Orders and subscriptions
  /// Operation `listProductOrders`.
  func listProductOrders(_ id: ProductID, limit: Int?) async throws(LicenseKitError) -> [Order]
  /// Operation `createOrder`.
  func createOrder(_ id: ProductID, _ body: OrderCreateRequest) async throws(LicenseKitError) -> Order
  /// Operation `getOrder`.
  func getOrder(_ id: OrderID) async throws(LicenseKitError) -> Order
  /// Operation `updateOrder`.
  func updateOrder(_ id: OrderID, _ body: OrderUpdateRequest) async throws(LicenseKitError) -> Order
  /// Operation `listProductSubscriptions`.
  func listProductSubscriptions(_ id: ProductID, limit: Int?) async throws(LicenseKitError) -> [Subscription]
  /// Operation `createSubscription`.
  func createSubscription(
    _ id: ProductID, _ body: SubscriptionCreateRequest
  ) async throws(LicenseKitError) -> Subscription
  /// Operation `getSubscription`.
  func getSubscription(_ id: SubscriptionID) async throws(LicenseKitError) -> Subscription
  /// Operation `updateSubscription`.
  func updateSubscription(
    _ id: SubscriptionID, _ body: SubscriptionUpdateRequest
  ) async throws(LicenseKitError) -> Subscription

  // Licenses
  /// Operation `listLicenses`.
  func listLicenses(_ filter: LicenseFilter) async throws(LicenseKitError) -> [License]
  /// Issues a license. The contract declares no idempotency key here; this project's server honours one for 24 hours and
  /// then replays the same raw key, other servers ignore it.
  func createLicense(
    _ body: LicenseCreateRequest, idempotencyKey: String?
  ) async throws(LicenseKitError) -> LicenseCreateResponse
  /// Operation `getLicense`.
  func getLicense(_ id: LicenseID) async throws(LicenseKitError) -> License
  /// Operation `renewLicense`.
  func renewLicense(
    _ id: LicenseID, _ body: LicenseRenewRequest, idempotencyKey: String
  ) async throws(LicenseKitError) -> License
  /// Operation `suspendLicense`.
  func suspendLicense(_ id: LicenseID) async throws(LicenseKitError) -> License
  /// Operation `reinstateLicense`.
  func reinstateLicense(_ id: LicenseID) async throws(LicenseKitError) -> License
  /// Operation `revokeLicense`.
  func revokeLicense(_ id: LicenseID) async throws(LicenseKitError) -> License
  /// Operation `transferLicense`.
  func transferLicense(
    _ id: LicenseID, _ body: LicenseTransferRequest, idempotencyKey: String
  ) async throws(LicenseKitError) -> License

  // Features of a license
  /// Operation `listLicenseFeatures`.
  func listLicenseFeatures(_ id: LicenseID, limit: Int?) async throws(LicenseKitError) -> [LicenseFeature]
  /// Operation `assignLicenseFeature`.
  func assignLicenseFeature(
    _ id: LicenseID, _ body: LicenseFeatureAssignRequest
  ) async throws(LicenseKitError) -> LicenseFeature
  /// Operation `removeLicenseFeature`.
  func removeLicenseFeature(_ id: LicenseID, _ feature: FeatureID) async throws(LicenseKitError)
  /// Operation `resetLicenseUsage`.
  func resetLicenseUsage(
    _ id: LicenseID, _ body: LicenseFeatureUsageResetRequest
  ) async throws(LicenseKitError) -> LicenseFeature

  // Devices of a license
  /// Operation `listLicenseDevices`.
  func listLicenseDevices(_ id: LicenseID, limit: Int?) async throws(LicenseKitError) -> [Device]
  /// Operation `getLicenseDevice`.
  func getLicenseDevice(_ id: LicenseID, _ device: DeviceID) async throws(LicenseKitError) -> Device
  /// Operation `resetLicenseDevice`.
  func resetLicenseDevice(_ id: LicenseID, _ device: DeviceID) async throws(LicenseKitError) -> Device
  /// Operation `blacklistLicenseDevice`.
  func blacklistLicenseDevice(_ id: LicenseID, _ device: DeviceID) async throws(LicenseKitError) -> Device

  // API keys, audit trail, system
  /// Operation `listAPIKeys`.
  func listAPIKeys(limit: Int?) async throws(LicenseKitError) -> [APIKey]
  /// Operation `createAPIKey`.
  func createAPIKey(_ body: APIKeyCreateRequest) async throws(LicenseKitError) -> APIKeyCreateResponse
  /// Operation `listEvents`.
  func listEvents(_ filter: EventFilter) async throws(LicenseKitError) -> EventPage
  /// Operation `listPublicKeys`.
  func listPublicKeys() async throws(LicenseKitError) -> [PublicKey]
}
