public import Identity
import JSON
public import LicenseKitAPI

// Licenses, their features and devices.
extension LicenseKitHTTPClient {
  /// Operation `listLicenses` of the contract.
  public func listLicenses(_ filter: LicenseFilter) async throws(LicenseKitError) -> [License] {
    try await send(.list("licenses", query: filter.query))
  }

  /// Operation `createLicense` of the contract.
  public func createLicense(_ body: LicenseCreateRequest, idempotencyKey: String?) async throws(LicenseKitError)
    -> LicenseCreateResponse
  {
    try await send(.create("licenses", idempotencyKey: idempotencyKey), body)
  }

  /// Operation `getLicense` of the contract.
  public func getLicense(_ id: LicenseID) async throws(LicenseKitError) -> License {
    try await send(.get("licenses", id.rawValue))
  }

  /// Operation `renewLicense` of the contract.
  public func renewLicense(_ id: LicenseID, _ body: LicenseRenewRequest, idempotencyKey: String)
    async throws(LicenseKitError) -> License
  {
    try await send(.act("licenses", id.rawValue, "renew", idempotencyKey: idempotencyKey), body)
  }

  /// Operation `suspendLicense` of the contract.
  public func suspendLicense(_ id: LicenseID) async throws(LicenseKitError) -> License {
    try await send(.act("licenses", id.rawValue, "suspend"))
  }

  /// Operation `reinstateLicense` of the contract.
  public func reinstateLicense(_ id: LicenseID) async throws(LicenseKitError) -> License {
    try await send(.act("licenses", id.rawValue, "reinstate"))
  }

  /// Operation `revokeLicense` of the contract.
  public func revokeLicense(_ id: LicenseID) async throws(LicenseKitError) -> License {
    try await send(.act("licenses", id.rawValue, "revoke"))
  }

  /// Operation `transferLicense` of the contract.
  public func transferLicense(_ id: LicenseID, _ body: LicenseTransferRequest, idempotencyKey: String)
    async throws(LicenseKitError) -> License
  {
    try await send(.act("licenses", id.rawValue, "transfer", idempotencyKey: idempotencyKey), body)
  }

  /// Operation `listLicenseFeatures` of the contract.
  public func listLicenseFeatures(_ id: LicenseID, limit: Int?) async throws(LicenseKitError) -> [LicenseFeature] {
    try await send(.list("licenses", id.rawValue, "features", limit: limit))
  }

  /// Operation `assignLicenseFeature` of the contract.
  public func assignLicenseFeature(_ id: LicenseID, _ body: LicenseFeatureAssignRequest) async throws(LicenseKitError)
    -> LicenseFeature
  {
    try await send(.act("licenses", id.rawValue, "features"), body)
  }

  /// Operation `removeLicenseFeature` of the contract.
  public func removeLicenseFeature(_ id: LicenseID, _ feature: FeatureID) async throws(LicenseKitError) {
    try await sendEmpty(.delete("licenses", id.rawValue, "features", feature.rawValue))
  }

  /// Operation `resetLicenseUsage` of the contract.
  public func resetLicenseUsage(_ id: LicenseID, _ body: LicenseFeatureUsageResetRequest) async throws(LicenseKitError)
    -> LicenseFeature
  {
    try await send(.act("licenses", id.rawValue, "usage", "reset"), body)
  }

  /// Operation `listLicenseDevices` of the contract.
  public func listLicenseDevices(_ id: LicenseID, limit: Int?) async throws(LicenseKitError) -> [Device] {
    try await send(.list("licenses", id.rawValue, "devices", limit: limit))
  }

  /// Operation `getLicenseDevice` of the contract.
  public func getLicenseDevice(_ id: LicenseID, _ device: DeviceID) async throws(LicenseKitError) -> Device {
    try await send(.get("licenses", id.rawValue, "devices", device.rawValue))
  }

  /// Operation `resetLicenseDevice` of the contract.
  public func resetLicenseDevice(_ id: LicenseID, _ device: DeviceID) async throws(LicenseKitError) -> Device {
    try await send(.act("licenses", id.rawValue, "devices", device.rawValue, "reset"))
  }

  /// Operation `blacklistLicenseDevice` of the contract.
  public func blacklistLicenseDevice(_ id: LicenseID, _ device: DeviceID) async throws(LicenseKitError) -> Device {
    try await send(.act("licenses", id.rawValue, "devices", device.rawValue, "blacklist"))
  }

}

extension LicenseFilter {
  /// The filter as query items.
  var query: [(name: String, value: String)] {
    let items: [(String, String?)] = [
      ("product_id", productID?.rawValue), ("policy_id", policyID?.rawValue), ("customer_id", customerID?.rawValue),
      ("status", status?.rawValue), ("order_id", orderID?.rawValue), ("subscription_id", subscriptionID?.rawValue),
      ("expires_before", expiresBefore.map(RFC3339.string(from:))),
      ("expires_after", expiresAfter.map(RFC3339.string(from:))),
      ("limit", limit.map { String($0) }),
    ]
    return items.compactMap { name, value in value.map { (name, $0) } }
  }
}
