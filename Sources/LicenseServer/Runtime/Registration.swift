import Foundation
import Identity
import JSON
import LicenseKitAPI
import Postgres
import ServerKit

extension RuntimeLicense {
  /// Gives the binding a seat, unless it has one. The caller holds the lock on the license.
  ///
  /// - Parameter known: the device with this binding, if there is one.
  /// - Throws: 403 when no seat is free.
  func seat(_ binding: Binding, known: BoundDevice?, in transaction: PostgresTransaction) async throws -> DeviceID {
    let isSeated = known?.status == .active && known?.holdsSeat == true
    if !isSeated { try await requireSeat(for: binding, in: transaction) }
    let device = try await register(binding, known: known, as: .seated, in: transaction)
    guard !isSeated else { return device }
    try await transaction.query(
      """
      UPDATE license_server.licenses
         SET times_activated = times_activated + 1,
             updated_at      = \(now)
       WHERE tenant_id = \(caller.tenant) AND id = \(id)
      """)
    try await EventLog.append(
      .licenseActivated, id.rawValue, by: caller, at: now,
      metadata: ["device_id": .string(device.rawValue), "binding_kind": .string(binding.kind.rawValue)], in: transaction
    )
    return device
  }

  private func requireSeat(for binding: Binding, in transaction: PostgresTransaction) async throws {
    let rows = try await transaction.query(
      """
      SELECT count(*) FILTER (WHERE binding_kind = 'hardware')  AS hardware,
             count(*) FILTER (WHERE binding_kind = 'container') AS containers
        FROM license_server.devices
       WHERE tenant_id = \(caller.tenant) AND license_id = \(id) AND status = 'active' AND holds_seat
      """)
    guard let row = rows.first else { return }
    let limit = Seats.limitReached(
      by: binding.kind, hardware: try row.get("hardware"), containers: try row.get("containers"), policy: policy)
    if let limit { throw APIFailure.activationLimitExceeded(limit: limit) }
  }

  /// What a device is registered for.
  enum Registration: Sendable {
    /// An activation; an existing lease stays.
    case seated
    /// A place in the pool; an existing seat stays.
    case leased(FloatingLease, tokenHash: [UInt8])
  }

  /// Writes the device as active, with what it says about itself.
  ///
  /// - Parameter known: the device with this binding, if there is one. A device with a former key gets the present key.
  func register(
    _ binding: Binding, known: BoundDevice?, as registration: Registration, in transaction: PostgresTransaction
  ) async throws -> DeviceID {
    let facts = binding.request
    if let known {
      try await transaction.query(
        """
        UPDATE license_server.devices
           SET binding_key = \(binding.key)
         WHERE tenant_id = \(caller.tenant) AND license_id = \(id) AND id = \(known.id)
           AND binding_key <> \(binding.key)
        """)
    }
    var lease: FloatingLease?
    var tokenHash: [UInt8]?
    if case .leased(let given, let hash) = registration { (lease, tokenHash) = (given, hash) }
    let rows = try await transaction.query(
      """
      INSERT INTO license_server.devices
             (tenant_id, license_id, id, binding_kind, binding_key,
              fingerprint, hostname, os, ip_address, is_vm, is_container,
              container_id, cluster_id, namespace, pod_name,
              status, holds_seat, lease_id, lease_token_hash, lease_expires_at,
              first_seen_at, last_seen_at, created_at, updated_at)
      VALUES (\(caller.tenant), \(id), \(DeviceID.new()), \(binding.kind.rawValue), \(binding.key),
              \(facts.fingerprint), \(facts.hostname), \(facts.os), \(caller.address),
              \(facts.isVM ?? false), \(binding.kind == .container),
              \(facts.containerID), \(facts.clusterID), \(facts.namespace), \(facts.podName),
              'active', \(lease == nil), \(lease?.id), \(tokenHash), \(lease?.expiresAt),
              \(now), \(now), \(now), \(now))
          ON CONFLICT (tenant_id, license_id, binding_key)
          DO UPDATE
         SET fingerprint      = excluded.fingerprint,
             hostname         = excluded.hostname,
             os               = excluded.os,
             ip_address       = excluded.ip_address,
             is_vm            = excluded.is_vm,
             status           = 'active',
             holds_seat       = excluded.holds_seat OR (devices.holds_seat AND devices.status = 'active'),
             lease_id         = coalesce(excluded.lease_id, devices.lease_id),
             lease_token_hash = coalesce(excluded.lease_token_hash, devices.lease_token_hash),
             lease_expires_at = coalesce(excluded.lease_expires_at, devices.lease_expires_at),
             last_seen_at     = excluded.last_seen_at,
             updated_at       = excluded.updated_at
      RETURNING id
      """)
    guard let device = try rows.first?.get("id", as: DeviceID.self) else { throw APIFailure.internalError }
    return device
  }
}
