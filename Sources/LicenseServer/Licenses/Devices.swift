import Foundation
import Identity
import JSON
import LicenseKitAPI
import Postgres
import ServerKit

/// Devices bound to a license, as the vendor manages them.
struct Devices: Sendable {
  let store: TenantStore
  let clock: ServerClock

  /// - Throws: 404 for an unknown license.
  func list(
    _ license: LicenseID, _ range: ListRange<DeviceTag>, for caller: Caller
  ) async throws -> ListPage<Device> {
    let now = clock.now()
    return try await store.transaction(caller.tenant, readOnly: true) { transaction in
      _ = try await LicenseRecord.find(license, for: caller, now: now, in: transaction)
      let read = try await transaction.query(
        """
        SELECT \(fragment: Self.columns)
          FROM license_server.devices
         WHERE tenant_id = \(caller.tenant) AND license_id = \(license) AND id < \(range.below)
         ORDER BY id DESC
         LIMIT \(fragment: range.rowsRead)
        """
      ).all { try Device(row: $0, now: now) }
      return ListPage(read, of: range, by: \.id)
    }
  }

  func get(_ license: LicenseID, _ device: DeviceID, for caller: Caller) async throws -> Device {
    let now = clock.now()
    return try await store.transaction(caller.tenant, readOnly: true) { transaction in
      try await Self.find(license, device, for: caller, now: now, in: transaction)
    }
  }

  /// Frees the seat and ends the lease; the device may activate again.
  /// - Throws: 409 for a blocked device.
  func reset(_ license: LicenseID, _ device: DeviceID, for caller: Caller) async throws -> Device {
    try await set(.reset, .deviceReset, license, device, for: caller) { status throws(APIFailure) in
      guard status != .blacklisted else { throw .conflict("a blocked device cannot be reset") }
    }
  }

  /// Frees the seat, ends the lease and blocks the binding for good.
  func blacklist(_ license: LicenseID, _ device: DeviceID, for caller: Caller) async throws -> Device {
    try await set(.blacklisted, .deviceBlacklisted, license, device, for: caller) { _ in }
  }

  private func set(
    _ status: DeviceStatus, _ event: EventLog.Kind, _ license: LicenseID, _ device: DeviceID, for caller: Caller,
    _ check: @Sendable (DeviceStatus) throws(APIFailure) -> Void
  ) async throws -> Device {
    let now = clock.now()
    return try await store.transaction(caller.tenant) { transaction in
      _ = try await LicenseRecord.find(license, for: caller, locked: true, now: now, in: transaction)
      let present = try await Self.find(license, device, for: caller, now: now, in: transaction)
      try check(present.status)
      guard present.status != status else { return present }
      let rows = try await transaction.query(
        """
        UPDATE license_server.devices
           SET status     = \(status.rawValue),
               \(fragment: FloatingLease.none),
               updated_at = \(now)
         WHERE tenant_id = \(caller.tenant) AND license_id = \(license) AND id = \(device)
        RETURNING \(fragment: Self.columns)
        """)
      guard let row = rows.first else { throw APIFailure.internalError }
      try await EventLog.append(
        event, device.rawValue, by: caller, at: now, metadata: ["license_id": .string(license.rawValue)],
        in: transaction)
      return try Device(row: row, now: now)
    }
  }

  /// Takes seat and lease from every active device of a license.
  static func releaseAll(
    of license: LicenseID, as status: DeviceStatus, for caller: Caller, now: Date, in transaction: PostgresTransaction
  ) async throws {
    try await transaction.query(
      """
      UPDATE license_server.devices
         SET status     = \(status.rawValue),
             \(fragment: FloatingLease.none),
             updated_at = \(now)
       WHERE tenant_id = \(caller.tenant) AND license_id = \(license) AND status = 'active'
      """)
  }

  private static func find(
    _ license: LicenseID, _ device: DeviceID, for caller: Caller, now: Date, in transaction: PostgresTransaction
  ) async throws -> Device {
    let rows = try await transaction.query(
      """
      SELECT \(fragment: columns)
        FROM license_server.devices
       WHERE tenant_id = \(caller.tenant) AND license_id = \(license) AND id = \(device)
      """)
    guard let row = rows.first else { throw APIFailure.notFound("device") }
    return try Device(row: row, now: now)
  }

  static let columns: PostgresQuery = """
    id, license_id, binding_kind, binding_key, fingerprint, hostname, os, ip_address, is_vm, is_container,
    container_id, cluster_id, namespace, pod_name, status, first_seen_at, last_seen_at, last_validated_at,
    metadata::text AS metadata, created_at, updated_at, holds_seat, lease_id, lease_expires_at
    """
}

extension Device {
  /// A device that has only a lease is `expired` after the lease has ended, even if nothing was written.
  init(row: PostgresRow, now: Date) throws {
    self.init(
      id: try row.get("id"), licenseID: try row.get("license_id"), bindingKind: try row.value("binding_kind"),
      bindingKey: try row.get("binding_key"), fingerprint: try row.get("fingerprint"),
      hostname: try row.get("hostname"),
      os: try row.get("os"), ipAddress: try row.get("ip_address"), isVM: try row.get("is_vm"),
      isContainer: try row.get("is_container"), containerID: try row.get("container_id"),
      clusterID: try row.get("cluster_id"), namespace: try row.get("namespace"), podName: try row.get("pod_name"),
      status: BoundDevice.status(
        stored: try row.value("status"), holdsSeat: try row.get("holds_seat"),
        leaseExpiresAt: try row.get("lease_expires_at"), at: now), firstSeenAt: try row.get("first_seen_at"),
      lastSeenAt: try row.get("last_seen_at"),
      lastValidatedAt: try row.get("last_validated_at"), metadata: try row.metadata(),
      createdAt: try row.get("created_at"), updatedAt: try row.get("updated_at"))
  }
}
