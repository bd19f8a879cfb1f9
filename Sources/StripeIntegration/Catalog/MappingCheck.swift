import Identity
import LicenseKitAPI
import ServerKit

/// Checks a mapping against the tenant's LicenseKit, so that a mistake shows before the first sale.
struct MappingCheck {
  let licenseKit: any LicenseKitClient

  /// The license type of the mapping's policy.
  /// - Throws: 422 that names the field that LicenseKit does not know, or knows under another product.
  func licenseType(of fields: MappingFields) async throws -> LicenseType {
    let product = fields.licensekitProductID
    try await exists("licensekit_product_id", "product") { try await licenseKit.getProduct(product) }
    let policy = try await exists("licensekit_policy_id", "policy") {
      try await licenseKit.getPolicy(fields.licensekitPolicyID)
    }
    guard policy.productID == product else {
      throw APIFailure.validation(field: "licensekit_policy_id", "belongs to another product")
    }
    if let feature = fields.seatsFeatureID { try await check(feature, "seats_feature_id", of: product) }
    for (index, grant) in (fields.features ?? []).enumerated() {
      try await check(grant.featureID, "features[\(index)].feature_id", of: product)
    }
    return policy.licenseType
  }

  private func check(_ feature: FeatureID, _ field: String, of product: ProductID) async throws {
    let known = try await exists(field, "feature") { try await licenseKit.getFeature(feature) }
    guard known.productID == product else {
      throw APIFailure.validation(field: field, "belongs to another product")
    }
  }

  @discardableResult
  private func exists<T: Sendable>(_ field: String, _ kind: String, _ get: () async throws -> T) async throws -> T {
    do {
      return try await get()
    } catch let error as LicenseKitError
      where error.retry == .gone || error.retry == .configuration || error.retry == .no
    {
      // A server may also answer 400 or 422 if a text cannot be one of its ids.
      throw APIFailure.validation(field: field, "LicenseKit has no such \(kind)")
    }
  }
}
