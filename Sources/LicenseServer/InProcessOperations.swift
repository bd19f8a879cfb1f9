import Identity
package import LicenseKitAPI
import ServerKit

extension InProcessLicenseKit: LicenseKitClient {
  /// Operation `listProducts` of the contract.
  package func listProducts(limit: Int?) async throws(LicenseKitError) -> [Product] {
    try await call(.listProducts) { try await services.products.list(ListRange(limit: limit), for: $0).rows }
  }

  /// Operation `createProduct` of the contract.
  package func createProduct(_ body: ProductCreateRequest) async throws(LicenseKitError) -> Product {
    try await call(.createProduct) { try await services.products.create(body, for: $0) }
  }

  /// Operation `getProduct` of the contract.
  package func getProduct(_ id: ProductID) async throws(LicenseKitError) -> Product {
    try await call(.getProduct) { try await services.products.get(id, for: $0) }
  }

  /// Operation `updateProduct` of the contract.
  package func updateProduct(_ id: ProductID, _ body: ProductUpdateRequest) async throws(LicenseKitError) -> Product {
    try await call(.updateProduct) { try await services.products.update(id, body, for: $0) }
  }

  /// Operation `deleteProduct` of the contract.
  package func deleteProduct(_ id: ProductID) async throws(LicenseKitError) {
    try await call(.deleteProduct) { try await services.products.delete(id, for: $0) }
  }

  /// Operation `listProductVersions` of the contract.
  package func listProductVersions(_ id: ProductID, limit: Int?) async throws(LicenseKitError) -> [ProductVersion] {
    try await call(.listProductVersions) {
      try await services.productVersions.list(id, ListRange(limit: limit), for: $0).rows
    }
  }

  /// Operation `createProductVersion` of the contract.
  package func createProductVersion(_ id: ProductID, _ body: ProductVersionCreateRequest) async throws(LicenseKitError)
    -> ProductVersion
  {
    try await call(.createProductVersion) { try await services.productVersions.create(id, body, for: $0) }
  }

  /// Operation `listPoliciesByProduct` of the contract.
  package func listPoliciesByProduct(_ id: ProductID, limit: Int?) async throws(LicenseKitError) -> [Policy] {
    try await call(.listPoliciesByProduct) {
      try await services.policies.list(id, ListRange(limit: limit), for: $0).rows
    }
  }

  /// Operation `createPolicy` of the contract.
  package func createPolicy(_ id: ProductID, _ body: PolicyCreateRequest) async throws(LicenseKitError) -> Policy {
    try await call(.createPolicy) { try await services.policies.create(id, body, for: $0) }
  }

  /// Operation `getPolicy` of the contract.
  package func getPolicy(_ id: PolicyID) async throws(LicenseKitError) -> Policy {
    try await call(.getPolicy) { try await services.policies.get(id, for: $0) }
  }

  /// Operation `updatePolicy` of the contract.
  package func updatePolicy(_ id: PolicyID, _ body: PolicyUpdateRequest) async throws(LicenseKitError) -> Policy {
    try await call(.updatePolicy) { try await services.policies.update(id, body, for: $0) }
  }

  /// Operation `deletePolicy` of the contract.
  package func deletePolicy(_ id: PolicyID) async throws(LicenseKitError) {
    try await call(.deletePolicy) { try await services.policies.delete(id, for: $0) }
  }

  /// Operation `listFeaturesByProduct` of the contract.
  package func listFeaturesByProduct(_ id: ProductID, limit: Int?) async throws(LicenseKitError) -> [Feature] {
    try await call(.listFeaturesByProduct) {
      try await services.features.list(id, ListRange(limit: limit), for: $0).rows
    }
  }

  /// Operation `createFeature` of the contract.
  package func createFeature(_ id: ProductID, _ body: FeatureCreateRequest) async throws(LicenseKitError) -> Feature {
    try await call(.createFeature) { try await services.features.create(id, body, for: $0) }
  }

  /// Operation `getFeature` of the contract.
  package func getFeature(_ id: FeatureID) async throws(LicenseKitError) -> Feature {
    try await call(.getFeature) { try await services.features.get(id, for: $0) }
  }

  /// Operation `listCustomers` of the contract.
  package func listCustomers(limit: Int?) async throws(LicenseKitError) -> [Customer] {
    try await call(.listCustomers) { try await services.customers.list(ListRange(limit: limit), for: $0).rows }
  }

  /// Operation `createCustomer` of the contract.
  package func createCustomer(_ body: CustomerCreateRequest) async throws(LicenseKitError) -> Customer {
    try await call(.createCustomer) { try await services.customers.create(body, for: $0) }
  }

  /// Operation `getCustomer` of the contract.
  package func getCustomer(_ id: CustomerID) async throws(LicenseKitError) -> Customer {
    try await call(.getCustomer) { try await services.customers.get(id, for: $0) }
  }

  /// Operation `updateCustomer` of the contract.
  package func updateCustomer(_ id: CustomerID, _ body: CustomerUpdateRequest) async throws(LicenseKitError) -> Customer
  {
    try await call(.updateCustomer) { try await services.customers.update(id, body, for: $0) }
  }

  /// Operation `deleteCustomer` of the contract.
  package func deleteCustomer(_ id: CustomerID) async throws(LicenseKitError) {
    try await call(.deleteCustomer) { try await services.customers.delete(id, for: $0) }
  }

  /// Operation `listProductOrders` of the contract.
  package func listProductOrders(_ id: ProductID, limit: Int?) async throws(LicenseKitError) -> [Order] {
    try await call(.listProductOrders) { try await services.orders.list(id, ListRange(limit: limit), for: $0).rows }
  }

  /// Operation `createOrder` of the contract.
  package func createOrder(_ id: ProductID, _ body: OrderCreateRequest) async throws(LicenseKitError) -> Order {
    try await call(.createOrder) { try await services.orders.create(id, body, for: $0) }
  }

  /// Operation `getOrder` of the contract.
  package func getOrder(_ id: OrderID) async throws(LicenseKitError) -> Order {
    try await call(.getOrder) { try await services.orders.get(id, for: $0) }
  }

  /// Operation `updateOrder` of the contract.
  package func updateOrder(_ id: OrderID, _ body: OrderUpdateRequest) async throws(LicenseKitError) -> Order {
    try await call(.updateOrder) { try await services.orders.update(id, body, for: $0) }
  }

  /// Operation `listProductSubscriptions` of the contract.
  package func listProductSubscriptions(_ id: ProductID, limit: Int?) async throws(LicenseKitError) -> [Subscription] {
    try await call(.listProductSubscriptions) {
      try await services.subscriptions.list(id, ListRange(limit: limit), for: $0).rows
    }
  }

  /// Operation `createSubscription` of the contract.
  package func createSubscription(_ id: ProductID, _ body: SubscriptionCreateRequest) async throws(LicenseKitError)
    -> Subscription
  {
    try await call(.createSubscription) { try await services.subscriptions.create(id, body, for: $0) }
  }

  /// Operation `getSubscription` of the contract.
  package func getSubscription(_ id: SubscriptionID) async throws(LicenseKitError) -> Subscription {
    try await call(.getSubscription) { try await services.subscriptions.get(id, for: $0) }
  }

  /// Operation `updateSubscription` of the contract.
  package func updateSubscription(_ id: SubscriptionID, _ body: SubscriptionUpdateRequest) async throws(LicenseKitError)
    -> Subscription
  {
    try await call(.updateSubscription) { try await services.subscriptions.update(id, body, for: $0) }
  }

  /// Operation `listLicenses` of the contract.
  package func listLicenses(_ filter: LicenseFilter) async throws(LicenseKitError) -> [License] {
    try await call(.listLicenses) { try await services.licenses.list(filter, for: $0).rows }
  }

  /// Operation `createLicense` of the contract.
  package func createLicense(_ body: LicenseCreateRequest, idempotencyKey: String?) async throws(LicenseKitError)
    -> LicenseCreateResponse
  {
    try await call(.createLicense) {
      try await services.issuing.create(body, idempotencyKey: idempotencyKey, for: $0).decoded()
    }
  }

  /// Operation `getLicense` of the contract.
  package func getLicense(_ id: LicenseID) async throws(LicenseKitError) -> License {
    try await call(.getLicense) { try await services.licenses.get(id, for: $0) }
  }

  /// Operation `renewLicense` of the contract.
  package func renewLicense(_ id: LicenseID, _ body: LicenseRenewRequest, idempotencyKey: String)
    async throws(LicenseKitError) -> License
  {
    try await call(.renewLicense) {
      try await services.renewal.renew(id, body, idempotencyKey: idempotencyKey, for: $0).decoded()
    }
  }

  /// Operation `suspendLicense` of the contract.
  package func suspendLicense(_ id: LicenseID) async throws(LicenseKitError) -> License {
    try await call(.suspendLicense) { try await services.licenses.suspend(id, for: $0) }
  }

  /// Operation `reinstateLicense` of the contract.
  package func reinstateLicense(_ id: LicenseID) async throws(LicenseKitError) -> License {
    try await call(.reinstateLicense) { try await services.licenses.reinstate(id, for: $0) }
  }

  /// Operation `revokeLicense` of the contract.
  package func revokeLicense(_ id: LicenseID) async throws(LicenseKitError) -> License {
    try await call(.revokeLicense) { try await services.licenses.revoke(id, for: $0) }
  }

  /// Operation `transferLicense` of the contract.
  package func transferLicense(_ id: LicenseID, _ body: LicenseTransferRequest, idempotencyKey: String)
    async throws(LicenseKitError) -> License
  {
    try await call(.transferLicense) {
      try await services.renewal.transfer(id, body, idempotencyKey: idempotencyKey, for: $0).decoded()
    }
  }

  /// Operation `listLicenseFeatures` of the contract.
  package func listLicenseFeatures(_ id: LicenseID, limit: Int?) async throws(LicenseKitError) -> [LicenseFeature] {
    try await call(.listLicenseFeatures) {
      try await services.licenseFeatures.list(id, ListRange(limit: limit), for: $0).rows
    }
  }

  /// Operation `assignLicenseFeature` of the contract.
  package func assignLicenseFeature(_ id: LicenseID, _ body: LicenseFeatureAssignRequest) async throws(LicenseKitError)
    -> LicenseFeature
  {
    try await call(.assignLicenseFeature) { try await services.licenseFeatures.assign(id, body, for: $0) }
  }

  /// Operation `removeLicenseFeature` of the contract.
  package func removeLicenseFeature(_ id: LicenseID, _ feature: FeatureID) async throws(LicenseKitError) {
    try await call(.removeLicenseFeature) { try await services.licenseFeatures.remove(id, feature, for: $0) }
  }

  /// Operation `resetLicenseUsage` of the contract.
  package func resetLicenseUsage(_ id: LicenseID, _ body: LicenseFeatureUsageResetRequest) async throws(LicenseKitError)
    -> LicenseFeature
  {
    try await call(.resetLicenseUsage) { try await services.licenseFeatures.resetUsage(id, body, for: $0) }
  }

  /// Operation `listLicenseDevices` of the contract.
  package func listLicenseDevices(_ id: LicenseID, limit: Int?) async throws(LicenseKitError) -> [Device] {
    try await call(.listLicenseDevices) { try await services.devices.list(id, ListRange(limit: limit), for: $0).rows }
  }

  /// Operation `getLicenseDevice` of the contract.
  package func getLicenseDevice(_ id: LicenseID, _ device: DeviceID) async throws(LicenseKitError) -> Device {
    try await call(.getLicenseDevice) { try await services.devices.get(id, device, for: $0) }
  }

  /// Operation `resetLicenseDevice` of the contract.
  package func resetLicenseDevice(_ id: LicenseID, _ device: DeviceID) async throws(LicenseKitError) -> Device {
    try await call(.resetLicenseDevice) { try await services.devices.reset(id, device, for: $0) }
  }

  /// Operation `blacklistLicenseDevice` of the contract.
  package func blacklistLicenseDevice(_ id: LicenseID, _ device: DeviceID) async throws(LicenseKitError) -> Device {
    try await call(.blacklistLicenseDevice) { try await services.devices.blacklist(id, device, for: $0) }
  }

  /// Operation `listAPIKeys` of the contract.
  package func listAPIKeys(limit: Int?) async throws(LicenseKitError) -> [APIKey] {
    try await call(.listAPIKeys) { try await services.apiKeys.list(ListRange(limit: limit), for: $0).rows }
  }

  /// Operation `createAPIKey` of the contract.
  package func createAPIKey(_ body: APIKeyCreateRequest) async throws(LicenseKitError) -> APIKeyCreateResponse {
    try await call(.createAPIKey) { try await services.apiKeys.create(body, for: $0) }
  }

  /// Operation `listEvents` of the contract.
  package func listEvents(_ filter: EventFilter) async throws(LicenseKitError) -> EventPage {
    try await call(.listEvents) { try await services.events.list(filter, for: $0) }
  }

  /// Operation `listPublicKeys` of the contract, for the caller's own tenant.
  package func listPublicKeys() async throws(LicenseKitError) -> [PublicKey] {
    try await unscoped { try await services.publicKeys(of: $0.tenant) }
  }
}
