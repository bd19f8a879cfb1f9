import Foundation
import Identity
import LicenseKitAPI
import Postgres
import ServerKit

/// A device as the runtime meets it: with what lets it run.
struct BoundDevice: Sendable {
  /// As the contract shows it, with the status at the time of reading.
  var device: Device
  /// Whether it was activated, which takes one of the policy's seats.
  var holdsSeat: Bool
  /// Its place in the floating pool, also one that ran out and was not cleared away yet.
  var lease: FloatingLease?

  var id: DeviceID { device.id }
  var status: DeviceStatus { device.status }

  /// Until when it may run without another call; nil for one with a seat, which needs none.
  var livesUntil: Date? { holdsSeat ? nil : lease?.expiresAt }

  /// The status a reader sees: a device that only a lease lets run is `expired` from the moment the lease ends.
  static func status(stored: DeviceStatus, holdsSeat: Bool, leaseExpiresAt: Date?, at now: Date) -> DeviceStatus {
    guard stored == .active, !holdsSeat else { return stored }
    return leaseExpiresAt.map { now < $0 } ?? false ? .active : .expired
  }

  init(row: PostgresRow, now: Date) throws {
    device = try Device(row: row, now: now)
    holdsSeat = try row.get("holds_seat")
    if let id = try row.get("lease_id", as: LeaseID?.self) {
      lease = FloatingLease(id: id, expiresAt: try row.get("lease_expires_at"))
    }
  }
}

/// The subject of ``LeaseID``.
enum LeaseTag {}

/// The id of a lease, for the audit trail. It proves nothing: the token does.
typealias LeaseID = ID<LeaseTag>

/// A place in a license's floating pool, held until a moment.
struct FloatingLease: Hashable, Sendable {
  var id: LeaseID
  var expiresAt: Date

  /// The end of a lease that begins or is extended now: after the policy's timeout, but never later than the license ends.
  static func end(_ policy: Policy, _ lifecycle: LicenseLifecycle, at now: Date) -> Date {
    let timeout = now.addingTimeInterval(Double(policy.floatingTimeoutMinutes) * 60)
    return (lifecycle.endsAt ?? lifecycle.expiresAt).map { min($0, timeout) } ?? timeout
  }

  /// Sets a device's columns to "no lease".
  static let none: PostgresQuery = "lease_id = NULL, lease_token_hash = NULL, lease_expires_at = NULL"
}

extension RuntimeLicense {
  /// The end of a lease that begins or is extended now.
  var leaseEnd: Date { FloatingLease.end(policy, record.lifecycle, at: now) }

  /// Extends the lease of a device that was just heard of, under a policy that does not insist on heartbeats.
  /// - Throws: 404 when the device ran by a lease that was ended meanwhile.
  func keepingLease(of device: BoundDevice, in transaction: PostgresTransaction) async throws -> BoundDevice {
    guard let lease = device.lease, now < lease.expiresAt, !policy.requireHeartbeat else { return device }
    var kept = device
    kept.lease = try await extend(lease, of: device.id, in: transaction)
    guard kept.holdsSeat || kept.lease != nil else { throw APIFailure.notFound("device") }
    return kept
  }

  /// Extends a lease that has not run out; it never gets shorter. Safe without a lock on the license: the condition is asked
  /// again once the row is free.
  /// - Returns: nil when there is no such lease any more.
  private func extend(
    _ lease: FloatingLease, of device: DeviceID, in transaction: PostgresTransaction
  ) async throws -> FloatingLease? {
    let rows = try await transaction.query(
      """
      UPDATE license_server.devices
         SET lease_expires_at = greatest(lease_expires_at, \(leaseEnd))
       WHERE tenant_id = \(caller.tenant) AND license_id = \(id) AND id = \(device)
         AND lease_id = \(lease.id) AND lease_expires_at > \(now)
      RETURNING lease_expires_at
      """)
    return try rows.first.map { FloatingLease(id: lease.id, expiresAt: try $0.get("lease_expires_at")) }
  }
}
