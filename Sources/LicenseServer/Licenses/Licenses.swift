import Foundation
import Identity
import JSON
import LicenseKitAPI
import Postgres
import ServerKit

/// Reading licenses, and the three actions that change their state.
struct Licenses: Sendable {
  let store: TenantStore
  let clock: ServerClock

  /// Newest first, or by expiry when status or expiry narrow the list (``LicenseListing``). A status filter agrees with what
  /// each license says at this moment.
  ///
  /// - Throws: 400 for a limit below 1, and for a cursor without a place that names no license where the order is by expiry.
  func list(_ filter: LicenseFilter, after cursor: LicenseCursor? = nil, for caller: Caller) async throws
    -> ListPage<License>
  {
    let limit = try Limit.checked(filter.limit)
    let now = clock.now()
    let byExpiry = LicenseListing.isByExpiry(filter)
    return try await store.transaction(caller.tenant, readOnly: true) { transaction in
      var mark = cursor
      if byExpiry, let id = cursor?.id, cursor?.place == nil {
        mark = try await Self.place(of: id, for: caller, in: transaction)
      }
      let listing = LicenseListing(tenant: caller.tenant, filter: filter, cursor: mark, limit: limit, now: now)
      let read = try await transaction.query(listing.query).all { try LicenseRecord(row: $0, now: now).license }
      return ListPage(read, limit: limit) { LicenseCursor(after: $0, byExpiry: byExpiry).text }
    }
  }

  private static func place(
    of id: LicenseID, for caller: Caller, in transaction: PostgresTransaction
  ) async throws -> LicenseCursor {
    let rows = try await transaction.query(
      "SELECT expires_at FROM license_server.licenses WHERE tenant_id = \(caller.tenant) AND id = \(id)")
    guard let row = rows.first else { throw APIFailure.invalidQuery(field: "cursor", "names no license") }
    return LicenseCursor(id: id, place: .init(try row.get("expires_at", as: Date?.self)))
  }

  func get(_ id: LicenseID, for caller: Caller) async throws -> License {
    let now = clock.now()
    return try await store.transaction(caller.tenant, readOnly: true) { transaction in
      try await LicenseRecord.find(id, for: caller, now: now, in: transaction).license
    }
  }

  func suspend(_ id: LicenseID, for caller: Caller) async throws -> License {
    try await change(id, .licenseSuspended, for: caller) { lifecycle, _ in lifecycle.suspending() }
  }

  func reinstate(_ id: LicenseID, for caller: Caller) async throws -> License {
    try await change(id, .licenseReinstated, for: caller) { lifecycle, now in lifecycle.reinstating(at: now) }
  }

  /// Also gives every seat back.
  func revoke(_ id: LicenseID, for caller: Caller) async throws -> License {
    try await change(id, .licenseRevoked, for: caller) { lifecycle, _ in lifecycle.revoking() }
  }

  private func change(
    _ id: LicenseID, _ event: EventLog.Kind, for caller: Caller,
    _ decide: @Sendable (LicenseLifecycle, Date) -> LicenseLifecycle.Outcome
  ) async throws -> License {
    let now = clock.now()
    return try await store.transaction(caller.tenant) { transaction in
      let record = try await LicenseRecord.find(id, for: caller, locked: true, now: now, in: transaction)
      switch decide(record.lifecycle, now) {
      case .stays: return record.license
      case .refused(let reason): throw APIFailure.conflict(reason)
      case .becomes(let state):
        try await transaction.query(
          """
          UPDATE license_server.licenses
             SET state               = \(state.rawValue),
                 entitlement_version = entitlement_version + 1,
                 updated_at          = \(now)
           WHERE tenant_id = \(caller.tenant) AND id = \(id)
          """)
        if state == .revoked {
          try await Devices.releaseAll(of: id, as: .deactivated, for: caller, now: now, in: transaction)
        }
        try await EventLog.append(
          event, id.rawValue, by: caller, at: now, metadata: ["from": .string(record.license.status.rawValue)],
          in: transaction)
        return try await LicenseRecord.find(id, for: caller, now: now, in: transaction).license
      }
    }
  }
}
