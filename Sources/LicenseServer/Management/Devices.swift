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
      ).all(Device.init(row:))
      return ListPage(read, of: range, by: \.id)
    }
  }

  func get(_ license: LicenseID, _ device: DeviceID, for caller: Caller) async throws -> Device {
    try await store.transaction(caller.tenant, readOnly: true) { transaction in
      try await Self.find(license, device, for: caller, in: transaction)
    }
  }

  /// Frees the seat; the device may activate again.
  /// - Throws: 409 for a blocked device.
  func reset(_ license: LicenseID, _ device: DeviceID, for caller: Caller) async throws -> Device {
    try await set(.reset, .deviceReset, license, device, for: caller) { status throws(APIFailure) in
      guard status != .blacklisted else { throw .conflict("a blocked device cannot be reset") }
    }
  }

  /// Frees the seat and blocks the binding for good.
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
      let present = try await Self.find(license, device, for: caller, in: transaction)
      try check(present.status)
      guard present.status != status else { return present }
      let rows = try await transaction.query(
        """
        UPDATE license_server.devices
           SET status     = \(status.rawValue),
               updated_at = \(now)
         WHERE tenant_id = \(caller.tenant) AND license_id = \(license) AND id = \(device)
        RETURNING \(fragment: Self.columns)
        """)
      guard let row = rows.first else { throw APIFailure.internalError }
      try await EventLog.append(
        event, device.rawValue, by: caller, at: now, metadata: ["license_id": .string(license.rawValue)],
        in: transaction)
      return try Device(row: row)
    }
  }

  /// Takes the seat from every active device of a license.
  static func releaseAll(
    of license: LicenseID, as status: DeviceStatus, for caller: Caller, now: Date, in transaction: PostgresTransaction
  ) async throws {
    try await transaction.query(
      """
      UPDATE license_server.devices
         SET status     = \(status.rawValue),
             updated_at = \(now)
       WHERE tenant_id = \(caller.tenant) AND license_id = \(license) AND status = 'active'
      """)
  }

  private static func find(
    _ license: LicenseID, _ device: DeviceID, for caller: Caller, in transaction: PostgresTransaction
  ) async throws -> Device {
    let rows = try await transaction.query(
      """
      SELECT \(fragment: columns)
        FROM license_server.devices
       WHERE tenant_id = \(caller.tenant) AND license_id = \(license) AND id = \(device)
      """)
    guard let row = rows.first else { throw APIFailure.notFound("device") }
    return try Device(row: row)
  }

  static let columns: PostgresQuery = """
    id, license_id, binding_kind, binding_key, fingerprint, hostname, os, ip_address, is_vm, is_container,
    container_id, cluster_id, namespace, pod_name, status, first_seen_at, last_seen_at, last_validated_at,
    metadata::text AS metadata, created_at, updated_at
    """
}

extension Device {
  init(row: PostgresRow) throws {
    self.init(
      id: try row.get("id"), licenseID: try row.get("license_id"), bindingKind: try row.value("binding_kind"),
      bindingKey: try row.get("binding_key"), fingerprint: try row.get("fingerprint"),
      hostname: try row.get("hostname"),
      os: try row.get("os"), ipAddress: try row.get("ip_address"), isVM: try row.get("is_vm"),
      isContainer: try row.get("is_container"), containerID: try row.get("container_id"),
      clusterID: try row.get("cluster_id"), namespace: try row.get("namespace"), podName: try row.get("pod_name"),
      status: try row.value("status"), firstSeenAt: try row.get("first_seen_at"),
      lastSeenAt: try row.get("last_seen_at"),
      lastValidatedAt: try row.get("last_validated_at"), metadata: try row.metadata(),
      createdAt: try row.get("created_at"), updatedAt: try row.get("updated_at"))
  }
}
