import Foundation
import Identity
import Logging
import Postgres
import ServiceLifecycle

/// Removes events whose time is over: what is older than Stripe itself could deliver again.
///
/// Stripe lists and resends events for 30 days (Stripe docs, "Webhooks"), so that an older id can come no more. Events that
/// wait for an account to be connected expire after the same time. Facts, purchases and their stories stay.
struct Retention: Service {
  static let age = "30 days"
  /// Small steps keep each transaction short.
  static let batch = 1_000

  let database: TenantDatabase
  let interval: Duration
  let logger: Logger

  func run() async throws {
    await cancelWhenGracefulShutdown {
      while !Task.isCancelled {
        do {
          let removed = try await sweep()
          if removed > 0 { logger.info("removed old events", metadata: ["count": "\(removed)"]) }
        } catch {
          logger.warning("removing old events failed", metadata: ["error": "\(error)"])
        }
        try? await Task.sleep(for: interval)
      }
    }
  }

  /// Goes through the tenants that have events.
  /// - Returns: how many events were removed.
  func sweep() async throws -> Int {
    var removed = 0
    var last: Tenant?
    while !Task.isCancelled, let tenant = try await tenant(after: last) {
      while try await removeBatch(of: tenant) == Self.batch { removed += Self.batch }
      last = tenant
    }
    return removed
  }

  private func tenant(after last: Tenant?) async throws -> Tenant? {
    try await database.transaction(as: .worker) { transaction in
      try await transaction.query(
        """
        SELECT account_id, livemode
          FROM stripe_integration.inbox
         WHERE (account_id, livemode) > (\(last?.account.rawValue ?? "")::text, \(last?.livemode ?? false)::boolean)
         ORDER BY account_id, livemode
         LIMIT 1
        """
      ).first.map { row in Tenant(account: try row.get("account_id"), livemode: try row.get("livemode")) }
    }
  }

  private func removeBatch(of tenant: Tenant) async throws -> Int {
    try await database.transaction(for: tenant) { transaction in
      try await transaction.query(
        """
        DELETE FROM stripe_integration.inbox i
         USING (SELECT event_id
                  FROM stripe_integration.inbox
                 WHERE account_id = \(tenant.account)
                   AND livemode   = \(tenant.livemode)
                   AND created    < now() - \(Self.age)::text::interval
                   AND state     <> 'new'
                 ORDER BY created, event_id
                 LIMIT \(Self.batch)) old
         WHERE i.account_id = \(tenant.account)
           AND i.livemode   = \(tenant.livemode)
           AND i.event_id   = old.event_id
        """
      ).affectedRows
    }
  }
}
