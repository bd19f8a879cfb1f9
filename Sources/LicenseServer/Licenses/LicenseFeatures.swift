import Foundation
import HTTPTypes
import Identity
import JSON
import LicenseKitAPI
import Postgres
import ServerKit

/// Features given to licenses, and their quotas.
struct LicenseFeatures: Sendable {
  let store: TenantStore
  let clock: ServerClock

  /// Features made last come first. An unknown license has none.
  func list(
    _ license: LicenseID, _ range: ListRange<FeatureTag>, for caller: Caller
  ) async throws -> ListPage<LicenseFeature> {
    try await store.transaction(caller.tenant, readOnly: true) { transaction in
      let read = try await transaction.query(
        """
        \(fragment: Self.selection)
         WHERE a.tenant_id = \(caller.tenant) AND a.license_id = \(license) AND a.feature_id < \(range.below)
         ORDER BY a.feature_id DESC
         LIMIT \(fragment: range.rowsRead)
        """
      ).all(LicenseFeature.init(row:))
      return ListPage(read, of: range, by: \.featureID)
    }
  }

  /// Gives a feature, or replaces how it was given; use so far is kept.
  func assign(_ license: LicenseID, _ body: LicenseFeatureAssignRequest, for caller: Caller) async throws
    -> LicenseFeature
  {
    try Checks.range(body.maxConsumptions, "max_consumptions", 0...Checks.maximumInteger)
    try Checks.metadata(body.metadata)
    let now = clock.now()
    return try await store.transaction(caller.tenant) { transaction in
      let record = try await LicenseRecord.find(license, for: caller, locked: true, now: now, in: transaction)
      guard record.lifecycle.state != .revoked else { throw APIFailure.conflict("the license is revoked") }
      let feature: Feature
      do {
        feature = try await Features.find(body.featureID, for: caller, in: transaction)
      } catch let failure as APIFailure where failure.status == .notFound { throw APIFailure.notFound("feature_id") }
      guard feature.productID == record.license.productID else {
        throw APIFailure.validation(field: "feature_id", "belongs to another product")
      }
      try await transaction.query(
        """
        INSERT INTO license_server.license_features
               (tenant_id, license_id, feature_id, enabled,
                max_consumptions, expires_at, metadata)
        VALUES (\(caller.tenant), \(license), \(feature.id), \(body.enabled ?? true),
                \(body.maxConsumptions), \(body.expiresAt?.wholeSeconds), \((body.metadata ?? [:]).stored)::json)
            ON CONFLICT (tenant_id, license_id, feature_id)
            DO UPDATE
           SET enabled          = excluded.enabled,
               max_consumptions = excluded.max_consumptions,
               expires_at       = excluded.expires_at,
               metadata         = excluded.metadata
        """)
      return try await changed(license, feature.id, .featureAssigned, for: caller, now: now, in: transaction)
    }
  }

  /// - Throws: 404 for a license or feature that is not there, and for one that was not given.
  func remove(_ license: LicenseID, _ feature: FeatureID, for caller: Caller) async throws {
    let now = clock.now()
    try await store.transaction(caller.tenant) { transaction in
      _ = try await LicenseRecord.find(license, for: caller, locked: true, now: now, in: transaction)
      let given = try await transaction.query(
        """
        \(fragment: Self.selection)
         WHERE a.tenant_id = \(caller.tenant) AND a.license_id = \(license) AND a.feature_id = \(feature)
        """
      ).first.map(LicenseFeature.init(row:))
      guard let given else { throw APIFailure.notFound("feature_id") }
      try await transaction.query(
        """
        DELETE FROM license_server.license_features
         WHERE tenant_id = \(caller.tenant) AND license_id = \(license) AND feature_id = \(feature)
        """)
      if given.totalConsumptions != 0 {
        let used = given.totalConsumptions
        try await UsageLedger.append(
          .init(
            action: .remove, amount: used, consumedChange: Int64(0).subtractingSaturated(used), used: 0,
            quota: given.maxConsumptions),
          of: given, by: caller, at: now, in: transaction)
      }
      try await Self.bumpEntitlement(license, for: caller, now: now, in: transaction)
      try await EventLog.append(
        .featureRemoved, license.rawValue, by: caller, at: now, metadata: ["feature_id": .string(feature.rawValue)],
        in: transaction)
    }
  }

  /// Changes quota and use of one feature.
  func resetUsage(
    _ license: LicenseID, _ body: LicenseFeatureUsageResetRequest, for caller: Caller
  ) async throws -> LicenseFeature {
    try UsageReset.check(body)
    let now = clock.now()
    return try await store.transaction(caller.tenant) { transaction in
      _ = try await LicenseRecord.find(license, for: caller, locked: true, now: now, in: transaction)
      var query: PostgresQuery = """
        \(fragment: Self.selection)
         WHERE a.tenant_id = \(caller.tenant) AND a.license_id = \(license)
        """
      if let id = body.featureID { query.append(" AND a.feature_id = \(id)") }
      if let code = body.featureCode { query.append(" AND f.code = \(code)") }
      guard let row = try await transaction.query(query).first else {
        throw APIFailure.notFound(body.featureID == nil ? "feature_code" : "feature_id")
      }
      let present = try LicenseFeature(row: row)
      let wanted = try UsageReset.apply(body, to: present)
      try await transaction.query(
        """
        UPDATE license_server.license_features
           SET max_consumptions   = \(wanted.quota),
               total_consumptions = \(wanted.used)
         WHERE tenant_id = \(caller.tenant) AND license_id = \(license) AND feature_id = \(present.featureID)
        """)
      for entry in UsageLedger.entries(from: present, to: wanted, request: body) {
        try await UsageLedger.append(entry, of: present, by: caller, at: now, in: transaction)
      }
      return try await changed(license, present.featureID, .usageReset, for: caller, now: now, in: transaction)
    }
  }

  private func changed(
    _ license: LicenseID, _ feature: FeatureID, _ event: EventLog.Kind, for caller: Caller, now: Date,
    in transaction: PostgresTransaction
  ) async throws -> LicenseFeature {
    try await Self.bumpEntitlement(license, for: caller, now: now, in: transaction)
    let rows = try await transaction.query(
      """
      \(fragment: Self.selection)
       WHERE a.tenant_id = \(caller.tenant) AND a.license_id = \(license) AND a.feature_id = \(feature)
      """)
    guard let row = rows.first else { throw APIFailure.internalError }
    let assigned = try LicenseFeature(row: row)
    var facts: JSONObject = [
      "feature_id": .string(feature.rawValue), "feature_code": .string(assigned.featureCode),
      "total_consumptions": .integer(assigned.totalConsumptions),
    ]
    facts["max_consumptions"] = assigned.maxConsumptions.map { .integer($0) }
    try await EventLog.append(event, license.rawValue, by: caller, at: now, metadata: facts, in: transaction)
    return assigned
  }

  private static func bumpEntitlement(
    _ license: LicenseID, for caller: Caller, now: Date, in transaction: PostgresTransaction
  ) async throws {
    try await transaction.query(
      """
      UPDATE license_server.licenses
         SET entitlement_version = entitlement_version + 1,
             updated_at          = \(now)
       WHERE tenant_id = \(caller.tenant) AND id = \(license)
      """)
  }

  static let selection: PostgresQuery = """
    SELECT a.license_id, a.feature_id, f.code, f.name, a.enabled, a.max_consumptions, a.total_consumptions, a.expires_at,
           a.metadata::text AS metadata
      FROM license_server.license_features a
      JOIN license_server.features f ON f.tenant_id = a.tenant_id AND f.id = a.feature_id
    """
}

/// The arithmetic of `resetLicenseUsage`.
enum UsageReset {
  /// Exactly one way of naming the feature, and at least one change.
  static func check(_ body: LicenseFeatureUsageResetRequest) throws(APIFailure) {
    guard (body.featureID == nil) != (body.featureCode == nil) else {
      throw .validation("feature_id: give it or feature_code, and not both")
    }
    try Checks.range(body.addCredits, "add_credits", 1...Checks.maximumInteger)
    try Checks.range(body.maxConsumptions, "max_consumptions", 0...Checks.maximumInteger)
    try Checks.range(body.totalConsumptions, "total_consumptions", 0...Checks.maximumInteger)
    let changes = body.addCredits != nil || body.maxConsumptions != nil || body.totalConsumptions != nil
    guard changes || body.resetConsumed == true else {
      throw .validation("add_credits: give at least one change")
    }
    guard body.resetConsumed != true || body.totalConsumptions == nil else {
      throw .validation("total_consumptions: give it or reset_consumed, not both")
    }
  }

  /// The quota is set first and then raised.
  static func apply(
    _ body: LicenseFeatureUsageResetRequest, to present: LicenseFeature
  ) throws(APIFailure) -> (quota: Int64?, used: Int64) {
    var quota = body.maxConsumptions ?? present.maxConsumptions
    if let credits = body.addCredits {
      guard let limited = quota else { throw .conflict("the feature is unlimited: there is no quota to raise") }
      let sum = limited.addingSaturated(credits)
      guard sum <= Checks.maximumInteger else {
        throw .validation(field: "add_credits", "makes the quota too large")
      }
      quota = sum
    }
    let used = body.resetConsumed == true ? 0 : body.totalConsumptions ?? present.totalConsumptions
    return (quota, used)
  }
}

extension LicenseFeature {
  init(row: PostgresRow) throws {
    let quota: Int64? = try row.get("max_consumptions")
    let used: Int64 = try row.get("total_consumptions")
    self.init(
      licenseID: try row.get("license_id"), featureID: try row.get("feature_id"), featureCode: try row.get("code"),
      featureName: try row.get("name"), enabled: try row.get("enabled"), maxConsumptions: quota,
      totalConsumptions: used,
      remaining: quota.map { max(0, $0.subtractingSaturated(used)) }, expiresAt: try row.get("expires_at"),
      metadata: try row.metadata())
  }
}
