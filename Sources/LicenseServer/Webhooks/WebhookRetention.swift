import Delivery
import Identity
import Logging
import Postgres
import ServerKit

/// Removes the log of deliveries whose time is over, tenant by tenant, in small steps that keep each transaction short.
struct WebhookRetention: PeriodicService {
  let store: TenantStore
  let interval: Duration
  let logger: Logger

  /// How long a delivery and its attempts are kept, from when it was made or last replayed.
  static let age = "30 days"
  /// Deliveries that one step looks at.
  var batch = 1_000

  var name: String { "removing old webhook deliveries" }

  func work() async throws {
    let removed = try await prune()
    if removed > 0 { logger.info("removed old webhook deliveries", metadata: ["count": "\(removed)"]) }
  }

  /// Goes through all tenants.
  /// - Returns: how many were removed.
  func prune() async throws -> Int {
    var removed = 0
    var last: TenantID = ""
    while !Task.isCancelled, let tenant = try await tenant(after: last) {
      var place: MessageDeliveryID? = ""
      while !Task.isCancelled, let from = place {
        let step = try await removeOld(of: tenant, after: from)
        removed += step.removed
        place = step.next
      }
      last = tenant
    }
    return removed
  }

  private func tenant(after last: TenantID) async throws -> TenantID? {
    try await store.transaction(as: .dispatcher) { transaction in
      try await transaction.query(
        """
        SELECT tenant_id
          FROM license_server.webhook_deliveries
         WHERE tenant_id > \(last)
         ORDER BY tenant_id
         LIMIT 1
        """
      ).first?.get("tenant_id")
    }
  }

  /// Of the tenant's next deliveries in the order in which they were made, removes those whose time is over, whatever became
  /// of them: what still waits waits for an endpoint that is not active. Their attempts go with them. Those that were
  /// replayed stay, and are passed by.
  ///
  /// - Returns: where to go on; nil when no older one is left.
  private func removeOld(
    of tenant: TenantID, after last: MessageDeliveryID
  ) async throws -> (removed: Int, next: MessageDeliveryID?) {
    try await store.transaction(tenant) { transaction in
      let row = try await transaction.query(
        """
        WITH step AS MATERIALIZED (
          SELECT id, created_at, series_since
            FROM license_server.webhook_deliveries
           WHERE tenant_id = \(tenant) AND id > \(last)
           ORDER BY id
           LIMIT \(batch)
        ), removed AS (
          DELETE FROM license_server.webhook_deliveries d
           USING step s
           WHERE d.tenant_id = \(tenant)
             AND d.id        = s.id
             AND s.series_since < now() - \(Self.age)::text::interval
          RETURNING d.id
        )
        SELECT (SELECT count(*) FROM removed) AS removed, max(id) AS last, count(*) AS read,
               coalesce(bool_and(created_at < now() - \(Self.age)::text::interval), false) AS are_old
          FROM step
        """
      ).first
      guard let row else { return (0, nil) }
      // Ids are in the order of their making: behind one that is not old yet there are only newer ones.
      let goesOn = try row.get("read", as: Int.self) == batch && row.get("are_old", as: Bool.self)
      return (try row.get("removed"), goesOn ? try row.get("last") : nil)
    }
  }
}
