import Foundation
import Identity
import LicenseKitAPI
import Postgres
import ServerKit

/// A device as the runtime sees it, with what lets it run.
struct BoundDevice: Sendable {
  /// As the contract shows it, with the status at the time of reading.
  var device: Device
  /// Whether it was activated, which takes one of the policy's seats.
  var holdsSeat: Bool
  /// Its place in the floating pool, even if the lease has expired and was not removed yet.
  var lease: FloatingLease?

  var id: DeviceID { device.id }
  var status: DeviceStatus { device.status }

  /// Until when it may run without another call; nil if it has a seat, and so needs none.
  var livesUntil: Date? { holdsSeat ? nil : lease?.expiresAt }

  /// The status that a reader sees: a device that only a lease lets run is `expired` as soon as the lease ends.
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

  /// The end of a lease that begins or is extended now: after the policy's timeout, but never after the license ends.
  static func end(_ policy: Policy, _ lifecycle: LicenseLifecycle, at now: Date) -> Date {
    let timeout = now.addingTimeInterval(Double(policy.floatingTimeoutMinutes) * 60)
    return (lifecycle.endsAt ?? lifecycle.expiresAt).map { min($0, timeout) } ?? timeout
  }

  /// Sets a device's columns to "no lease".
  static let none: PostgresQuery = "lease_id = NULL, lease_token_hash = NULL, lease_expires_at = NULL"
}
