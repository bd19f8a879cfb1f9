import Foundation
import Identity
import JSON
import LicenseKitAPI
import Postgres

/// Records the leases that have expired.
enum ExpiredLeases {
  /// Which of a tenant's.
  enum Scope: Sendable {
    /// All of a license on which the caller holds the lock.
    case license(LicenseID)
    /// The tenant's oldest, without waiting for a lock: leases that others are working on are left to them.
    case oldest(Int)

    fileprivate var condition: PostgresQuery {
      switch self {
      case .license(let license): "AND license_id = \(license) FOR UPDATE"
      case .oldest(let limit): "ORDER BY lease_expires_at LIMIT \(limit) FOR UPDATE SKIP LOCKED"
      }
    }
  }

  /// Ends expired leases: a device that had only a lease becomes `expired`, and each gets its event.
  /// - Returns: how many were ended.
  @discardableResult
  static func clear(
    _ scope: Scope, of tenant: TenantID, now: Date, in transaction: PostgresTransaction
  ) async throws -> Int {
    let rows = try await transaction.query(
      """
      WITH ended AS (
        SELECT tenant_id, license_id, id, lease_id
          FROM license_server.devices
         WHERE tenant_id = \(tenant) AND lease_id IS NOT NULL AND lease_expires_at <= \(now)
         \(fragment: scope.condition)
      )
      UPDATE license_server.devices d
         SET status     = CASE WHEN d.holds_seat THEN d.status ELSE 'expired' END,
             \(fragment: FloatingLease.none),
             updated_at = \(now)
        FROM ended
       WHERE d.tenant_id = ended.tenant_id AND d.license_id = ended.license_id AND d.id = ended.id
      RETURNING d.license_id, d.id, ended.lease_id
      """)
    let caller = Caller(tenant: tenant, actor: .system("floating_leases"), scopes: [], address: nil)
    for row in rows {
      try await EventLog.append(
        .floatingExpired, row.get("license_id", as: LicenseID.self).rawValue, by: caller, at: now,
        metadata: [
          "device_id": .string(row.get("id", as: DeviceID.self).rawValue),
          "lease_id": .string(row.get("lease_id", as: LeaseID.self).rawValue),
        ], in: transaction)
    }
    return rows.count
  }
}
