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

  /// Newest first. A status filter agrees with what each license says at this moment.
  func list(_ filter: LicenseFilter, for caller: Caller) async throws -> [License] {
    let limit = try Limit.checked(filter.limit)
    let now = clock.now()
    var query: PostgresQuery = """
      \(fragment: LicenseRecord.selection)
       WHERE l.tenant_id = \(caller.tenant)
      """
    if let product = filter.productID { query.append(" AND l.product_id = \(product)") }
    if let policy = filter.policyID { query.append(" AND l.policy_id = \(policy)") }
    if let customer = filter.customerID { query.append(" AND l.customer_id = \(customer)") }
    if let order = filter.orderID { query.append(" AND l.order_id = \(order)") }
    if let subscription = filter.subscriptionID { query.append(" AND l.subscription_id = \(subscription)") }
    if let moment = filter.expiresBefore { query.append(" AND l.expires_at < \(moment)") }
    if let moment = filter.expiresAfter { query.append(" AND l.expires_at > \(moment)") }
    if let status = filter.status { query.append(Self.condition(status, at: now)) }
    query.append(" ORDER BY l.id DESC LIMIT \(limit)")
    let complete = query
    return try await store.transaction(caller.tenant, readOnly: true) { transaction in
      try await transaction.query(complete).all { try LicenseRecord(row: $0, now: now).license }
    }
  }

  /// ``LicenseLifecycle/status(at:)`` in SQL, in terms that the indexes on expiry and end serve.
  private static func condition(_ status: LicenseStatus, at now: Date) -> PostgresQuery {
    switch status {
    case .active: " AND l.state = 'active' AND (l.expires_at IS NULL OR l.expires_at > \(now))"
    case .gracePeriod: " AND l.state = 'active' AND l.expires_at <= \(now) AND l.ends_at > \(now)"
    case .expired: " AND l.state = 'active' AND l.ends_at <= \(now)"
    case .suspended: " AND l.state = 'suspended'"
    case .revoked: " AND l.state = 'revoked'"
    }
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
