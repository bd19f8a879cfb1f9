public import Identity
public import LicenseKitAPI

// Products and what belongs to them.
extension LicenseKitHTTPClient: LicenseKitClient {
  /// Operation `listProducts` of the contract.
  public func listProducts(limit: Int?) async throws(LicenseKitError) -> [Product] {
    try await send(.list("products", limit: limit))
  }

  /// Operation `createProduct` of the contract.
  public func createProduct(_ body: ProductCreateRequest) async throws(LicenseKitError) -> Product {
    try await send(.create("products"), body)
  }

  /// Operation `getProduct` of the contract.
  public func getProduct(_ id: ProductID) async throws(LicenseKitError) -> Product {
    try await send(.get("products", id.rawValue))
  }

  /// Operation `updateProduct` of the contract.
  public func updateProduct(_ id: ProductID, _ body: ProductUpdateRequest) async throws(LicenseKitError) -> Product {
    try await send(.patch("products", id.rawValue), body)
  }

  /// Operation `deleteProduct` of the contract.
  public func deleteProduct(_ id: ProductID) async throws(LicenseKitError) {
    try await sendEmpty(.delete("products", id.rawValue))
  }

  /// Operation `listProductVersions` of the contract.
  public func listProductVersions(_ id: ProductID, limit: Int?) async throws(LicenseKitError) -> [ProductVersion] {
    try await send(.list("products", id.rawValue, "versions", limit: limit))
  }

  /// Operation `createProductVersion` of the contract.
  public func createProductVersion(_ id: ProductID, _ body: ProductVersionCreateRequest) async throws(LicenseKitError)
    -> ProductVersion
  {
    try await send(.create("products", id.rawValue, "versions"), body)
  }

  /// Operation `listPoliciesByProduct` of the contract.
  public func listPoliciesByProduct(_ id: ProductID, limit: Int?) async throws(LicenseKitError) -> [Policy] {
    try await send(.list("products", id.rawValue, "policies", limit: limit))
  }

  /// Operation `createPolicy` of the contract.
  public func createPolicy(_ id: ProductID, _ body: PolicyCreateRequest) async throws(LicenseKitError) -> Policy {
    try await send(.create("products", id.rawValue, "policies"), body)
  }

  /// Operation `getPolicy` of the contract.
  public func getPolicy(_ id: PolicyID) async throws(LicenseKitError) -> Policy {
    try await send(.get("policies", id.rawValue))
  }

  /// Operation `updatePolicy` of the contract.
  public func updatePolicy(_ id: PolicyID, _ body: PolicyUpdateRequest) async throws(LicenseKitError) -> Policy {
    try await send(.patch("policies", id.rawValue), body)
  }

  /// Operation `deletePolicy` of the contract.
  public func deletePolicy(_ id: PolicyID) async throws(LicenseKitError) {
    try await sendEmpty(.delete("policies", id.rawValue))
  }

  /// Operation `listFeaturesByProduct` of the contract.
  public func listFeaturesByProduct(_ id: ProductID, limit: Int?) async throws(LicenseKitError) -> [Feature] {
    try await send(.list("products", id.rawValue, "features", limit: limit))
  }

  /// Operation `createFeature` of the contract.
  public func createFeature(_ id: ProductID, _ body: FeatureCreateRequest) async throws(LicenseKitError) -> Feature {
    try await send(.create("products", id.rawValue, "features"), body)
  }

  /// Operation `getFeature` of the contract.
  public func getFeature(_ id: FeatureID) async throws(LicenseKitError) -> Feature {
    try await send(.get("features", id.rawValue))
  }

}
