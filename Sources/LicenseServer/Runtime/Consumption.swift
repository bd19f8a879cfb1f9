import Cryptography
import Foundation
import Identity
import JSON
import LicenseKitAPI
import Postgres
import ServerKit

extension DeviceID {
  /// A new id.
  static func new() -> DeviceID { DeviceID(Random.id(prefix: "dev_")) }
}

extension Runtime {
  /// Counts the use of a feature. The event id counts once per license: the same use again is answered but not counted, and
  /// another use under the same event id is refused.
  func consume(
    _ license: LicenseID, _ body: ConsumeLicenseRequest, idempotencyKey: String?, for caller: Caller
  ) async throws -> SignedAnswer {
    let binding = try Binding(body.binding)
    try Checks.required(body.eventID, "event_id", maximum: 255)
    let amount = body.amount ?? 1
    try Checks.range(amount, "amount", 1...Checks.maximumInteger)
    return try await once("consumeLicense", license, idempotencyKey, body, for: caller) { license, transaction in
      try license.requireUsable()
      try license.requireAllowed(binding)
      let device = try await license.keepingLease(of: license.activeDevice(binding, in: transaction), in: transaction)
      let eligibility = try await license.entitledVersion(body.appVersion, in: transaction)
      let (feature, earlier) = try await self.feature(body.featureCode, usedBy: body.eventID, license, in: transaction)
      if let earlier {
        guard earlier.feature == feature.featureID, earlier.amount == amount else {
          throw APIFailure.idempotencyConflict
        }
      } else {
        try await count(body.eventID, feature, amount, license, in: transaction)
      }
      return try await sign(
        license, device: device.id, livingUntil: device.livesUntil, eligibility: eligibility, in: transaction)
    }
  }

  /// The feature, and what was counted earlier under the event id, if anything.
  private func feature(
    _ code: String, usedBy event: String, _ license: RuntimeLicense, in transaction: PostgresTransaction
  ) async throws -> (LicenseFeature, earlier: (feature: FeatureID, amount: Int64)?) {
    let rows = try await transaction.query(
      """
      SELECT given.*, used.feature_id AS used_feature_id, used.amount AS used_amount
        FROM (\(fragment: LicenseFeatures.selection)
               WHERE a.tenant_id = \(license.caller.tenant) AND a.license_id = \(license.id) AND f.code = \(code)) given
        LEFT JOIN license_server.usage_events used
          ON used.tenant_id = \(license.caller.tenant) AND used.license_id = \(license.id) AND used.event_id = \(event)
      """)
    guard let row = rows.first else { throw APIFailure.notFound("feature_code") }
    let earlier = try row.get("used_feature_id", as: FeatureID?.self)
    return (try LicenseFeature(row: row), try earlier.map { ($0, try row.get("used_amount")) })
  }

  private func count(
    _ event: String, _ feature: LicenseFeature, _ amount: Int64, _ license: RuntimeLicense,
    in transaction: PostgresTransaction
  ) async throws {
    let (caller, now) = (license.caller, license.now)
    guard feature.isUsable(at: now) else { throw APIFailure.featureNotEnabled(feature.featureCode) }
    if let remaining = feature.remaining, amount > remaining {
      throw APIFailure.featureQuotaExceeded(remaining: remaining)
    }
    guard feature.totalConsumptions.addingSaturated(amount) <= Checks.maximumInteger else {
      throw APIFailure.validation(field: "amount", "makes the total use too large to count")
    }
    try await transaction.query(
      """
      UPDATE license_server.license_features
         SET total_consumptions = total_consumptions + \(amount)
       WHERE tenant_id = \(caller.tenant) AND license_id = \(license.id) AND feature_id = \(feature.featureID)
      """)
    try await UsageLedger.consume(amount, of: feature, event: event, by: caller, at: now, in: transaction)
    try await EventLog.append(
      .usageConsumed, license.id.rawValue, by: caller, at: now,
      metadata: ["feature_code": .string(feature.featureCode), "amount": .integer(amount), "event_id": .string(event)],
      in: transaction)
  }
}
