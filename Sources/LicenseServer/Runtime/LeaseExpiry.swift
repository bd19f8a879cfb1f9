import Foundation
import Identity
import Logging
import Postgres
import ServerKit

/// Records which leases have expired, with an event for each. No answer depends on it: a lease ends at the time it names. Any
/// number of replicas may do it at once.
struct LeaseExpiry: PeriodicService {
  let client: PostgresClient
  let store: TenantStore
  let clock: ServerClock
  let logger: Logger
  var interval: Duration = .seconds(15)
  /// Leases that are ended in one transaction.
  var batch = 200
  /// Transactions of one round, over all tenants; the rest is left to the next round.
  var batches = 50

  var name: String { "ending expired leases" }

  func work() async throws {
    let ended = try await expire()
    if ended > 0 { logger.info("floating leases expired", metadata: ["count": "\(ended)"]) }
  }

  /// One round.
  /// - Returns: how many leases were ended.
  func expire() async throws -> Int {
    let now = clock.now()
    let limit = batch
    var ended = 0
    for (tenant, due) in try await tenants(now: now) {
      for _ in 0..<(due + batch - 1) / batch where !Task.isCancelled {
        ended += try await store.transaction(tenant) { transaction in
          try await ExpiredLeases.clear(.oldest(limit), of: tenant, now: now, in: transaction)
        }
      }
    }
    return ended
  }

  /// The tenants with expired leases, and how many of the oldest expired leases belong to each.
  private func tenants(now: Date) async throws -> [(tenant: TenantID, due: Int)] {
    try await client.transaction(DatabaseRole.upkeep.transaction) { transaction in
      try await transaction.query(
        """
        SELECT tenant_id, count(*) AS due
          FROM (SELECT tenant_id
                  FROM license_server.devices
                 WHERE lease_id IS NOT NULL AND lease_expires_at <= \(now)
                 ORDER BY lease_expires_at
                 LIMIT \(batch * batches)) ended
         GROUP BY tenant_id
         ORDER BY tenant_id
        """
      ).all { (try $0.get("tenant_id"), try $0.get("due")) }
    }
  }
}
