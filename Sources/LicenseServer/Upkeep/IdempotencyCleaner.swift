import Foundation
import Logging
import Postgres
import ServerKit

/// Removes expired answers of idempotency keys, for all tenants, whether or not they call again.
///
/// This only saves space: an expired answer is never returned, removed or not. One replica at a time does it, in batches that
/// keep each transaction short, under a role that can do nothing else. If there is nothing to remove, it costs one look at an
/// index a minute.
struct IdempotencyCleaner: PeriodicService {
  let client: PostgresClient
  let clock: ServerClock
  let logger: Logger
  var interval: Duration = .seconds(60)
  /// Rows of one transaction.
  var batch = 1_000

  var name: String { "removing expired answers" }

  func work() async throws {
    let removed = try await prune()
    if removed > 0 { logger.debug("removed expired answers", metadata: ["count": "\(removed)"]) }
  }

  /// Removes batch after batch until one is not full, or another replica is removing.
  /// - Returns: how many answers were removed.
  func prune() async throws -> Int {
    var removed = 0
    while !Task.isCancelled {
      let count = try await removeBatch()
      removed += count
      if count < batch { break }
    }
    return removed
  }

  private func removeBatch() async throws -> Int {
    let now = clock.now()
    return try await client.transaction(DatabaseRole.upkeep.transaction) { transaction in
      let lock = try await transaction.query(
        "SELECT pg_try_advisory_xact_lock(hashtextextended('license_server.idempotency_cleaner', 0)) AS mine")
      guard try lock.first?.get("mine", as: Bool.self) == true else { return 0 }
      // The time is checked twice: a key that was used again meanwhile has a new one.
      return try await transaction.query(
        """
        DELETE FROM license_server.idempotency_records r
         USING (SELECT tenant_id, operation, subject, key
                  FROM license_server.idempotency_records
                 WHERE expires_at <= \(now)
                 ORDER BY expires_at
                 LIMIT \(unescaped: String(batch))) old
         WHERE r.tenant_id = old.tenant_id AND r.operation = old.operation AND r.subject = old.subject AND r.key = old.key
           AND r.expires_at <= \(now)
        """
      ).affectedRows
    }
  }
}
