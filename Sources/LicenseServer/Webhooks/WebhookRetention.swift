import Identity
import Logging
import Postgres
import ServerKit
import ServiceLifecycle

/// Removes the log of deliveries whose time is over, tenant by tenant, in small steps that keep each transaction short.
struct WebhookRetention: Service {
  let store: TenantStore
  let interval: Duration
  let logger: Logger

  /// How long a delivery and its attempts are kept, from when it was made or last replayed.
  static let age = "30 days"
  private static let batch = 1_000

  func run() async throws {
    await cancelWhenGracefulShutdown {
      while !Task.isCancelled {
        do {
          let removed = try await sweep()
          if removed > 0 { logger.info("removed old webhook deliveries", metadata: ["count": "\(removed)"]) }
        } catch {
          if !Task.isCancelled {
            logger.warning("removing old webhook deliveries failed", metadata: ["error": "\(error)"])
          }
        }
        try? await Task.sleep(for: interval)
      }
    }
  }

  /// Goes through all tenants.
  /// - Returns: how many were removed.
  func sweep() async throws -> Int {
    var removed = 0
    var last: TenantID = ""
    while !Task.isCancelled, let tenant = try await tenant(after: last) {
      while !Task.isCancelled {
        let count = try await removeOld(of: tenant)
        removed += count
        if count == 0 { break }
      }
      last = tenant
    }
    return removed
  }

  private func tenant(after last: TenantID) async throws -> TenantID? {
    try await store.transaction(as: .courier) { transaction in
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

  /// Of the tenant's oldest deliveries, those whose time is over, whatever became of them: what still waits waits for an
  /// endpoint that is not active. Their attempts go with them.
  private func removeOld(of tenant: TenantID) async throws -> Int {
    try await store.transaction(tenant) { transaction in
      try await transaction.query(
        """
        DELETE FROM license_server.webhook_deliveries d
         USING (SELECT tenant_id, id, series_since
                  FROM license_server.webhook_deliveries
                 WHERE tenant_id = \(tenant)
                 ORDER BY id
                 LIMIT \(Self.batch)) o
         WHERE d.tenant_id = o.tenant_id
           AND d.id        = o.id
           AND o.series_since < now() - \(Self.age)::text::interval
        """
      ).affectedRows
    }
  }
}
