import Foundation
import Identity
import JSON
import LicenseKitAPI
import Postgres
import ServerKit

/// A license as stored, with what its policy says.
struct LicenseRecord: Sendable {
  /// As the contract shows it, with the status at the time of reading.
  var license: License
  var lifecycle: LicenseLifecycle
  var type: LicenseType
  var maxTransfers: Int

  /// The license, or 404. With `locked` no other transaction changes it, its devices or its use until this one ends.
  static func find(
    _ id: LicenseID, for caller: Caller, locked: Bool = false, now: Date, in transaction: PostgresTransaction
  ) async throws -> LicenseRecord {
    if locked {
      // A separate statement takes the lock, so that everything read afterwards was committed before the lock.
      try await transaction.query(
        "SELECT FROM license_server.licenses WHERE tenant_id = \(caller.tenant) AND id = \(id) FOR UPDATE")
    }
    let rows = try await transaction.query(
      """
      \(fragment: selection)
       WHERE l.tenant_id = \(caller.tenant) AND l.id = \(id)
      """)
    guard let row = rows.first else { throw APIFailure.notFound("license") }
    return try LicenseRecord(row: row, now: now)
  }

  /// The end of a license's grace: its expiry and the present grace of its policy (`p`). It is not stored, so a new grace
  /// applies to every license of the policy at once and changes only one row.
  static let end: PostgresQuery = "(l.expires_at + p.grace_period_days * interval '24 hours')"

  /// Everything about a license; the counters are counted, so they cannot drift.
  static let selection: PostgresQuery = """
    SELECT l.id, l.product_id, l.policy_id, l.customer_id, l.order_id, l.subscription_id, l.state, l.key_prefix, l.key_last4,
           l.customer_email, l.customer_name, l.times_activated, l.times_transferred, l.starts_at, l.expires_at, \(fragment: end) AS ends_at,
           l.maintenance_expires_at, l.metadata::text AS metadata, l.created_at, l.updated_at,
           l.entitlement_version + p.revision AS entitlement_version,
           p.license_type, p.max_transfers,
           (SELECT count(*)
              FROM license_server.devices d
             WHERE d.tenant_id = l.tenant_id AND d.license_id = l.id AND d.status = 'active' AND d.holds_seat)
             AS active_device_count,
           (SELECT \(fragment: SaturatingSum.shown("coalesce(sum(f.total_consumptions), 0)"))
              FROM license_server.license_features f
             WHERE f.tenant_id = l.tenant_id AND f.license_id = l.id) AS total_consumptions
      FROM license_server.licenses l
      JOIN license_server.policies p ON p.tenant_id = l.tenant_id AND p.id = l.policy_id
    """

  init(row: PostgresRow, now: Date) throws {
    lifecycle = LicenseLifecycle(
      state: try row.value("state"), expiresAt: try row.get("expires_at"), endsAt: try row.get("ends_at"))
    type = try row.value("license_type")
    maxTransfers = try row.get("max_transfers")
    license = License(
      id: try row.get("id"), productID: try row.get("product_id"), policyID: try row.get("policy_id"),
      customerID: try row.get("customer_id"), orderID: try row.get("order_id"),
      subscriptionID: try row.get("subscription_id"), status: lifecycle.status(at: now),
      licenseKeyPrefix: try row.get("key_prefix"), licenseKeyLast4: try row.get("key_last4"),
      customerEmail: try row.get("customer_email"), customerName: try row.get("customer_name"),
      activeDeviceCount: try row.get("active_device_count"), timesActivated: try row.get("times_activated"),
      timesTransferred: try row.get("times_transferred"), totalConsumptions: try row.get("total_consumptions"),
      entitlementVersion: try row.get("entitlement_version"), startsAt: try row.get("starts_at"),
      expiresAt: lifecycle.expiresAt, maintenanceExpiresAt: try row.get("maintenance_expires_at"),
      metadata: try row.metadata(), createdAt: try row.get("created_at"), updatedAt: try row.get("updated_at"))
  }
}

/// The `data` of an answer as bytes: for an idempotency key, exactly the bytes that were sent are stored.
struct StoredAnswer: Sendable, Hashable {
  var bytes: [UInt8]

  init(bytes: [UInt8]) { self.bytes = bytes }
  init(_ value: some Encodable) throws { bytes = try JSONCoding.encodedBytes(value) }

  /// The value again, for callers in the process.
  func decoded<T: Decodable>(_: T.Type = T.self) throws -> T {
    try JSONCoding.decode(T.self, from: bytes, unknownFields: .allow)
  }
}
