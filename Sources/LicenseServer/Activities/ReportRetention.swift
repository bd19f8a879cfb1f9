import Foundation
import Identity
import LicenseKitAPI
import Logging
import Postgres
import ServerKit

/// Removes what reports no longer need: activities, counts and exports after 400 days, so that a year can be compared with
/// the one before; the usage ledger after 1 100 days, three years of settlement. Once an hour, tenant by tenant, in batches,
/// and by one replica at a time.
struct ReportRetention: PeriodicService {
  static let days = 400
  static let ledgerDays = 1_100
  static let batch = 1_000
  let interval = Duration.seconds(3_600)

  let client: PostgresClient
  let clock: ServerClock
  let logger: Logger

  var name: String { "removing old report data" }

  func work() async throws {
    let removed = try await prune()
    if removed > 0 { logger.info("removed old report data", metadata: ["count": "\(removed)"]) }
  }

  /// Goes through all tenants.
  /// - Returns: how many rows were removed.
  func prune() async throws -> Int {
    let now = clock.now()
    let cutoff = now.addingDays(-Self.days)
    let rules: [@Sendable (TenantID) -> PostgresQuery] = [
      { Self.removal(from: "activities", of: $0, before: cutoff) },
      { Self.removal(from: "usage_ledger", of: $0, before: now.addingDays(-Self.ledgerDays)) },
      { tenant in
        """
        DELETE FROM license_server.runtime_counts
         WHERE tenant_id = \(tenant)
           AND (bucket, endpoint, result_class, reason_code)
               IN (SELECT bucket, endpoint, result_class, reason_code
                     FROM license_server.runtime_counts
                    WHERE tenant_id = \(tenant) AND bucket < \(cutoff)
                    ORDER BY bucket
                    LIMIT \(Self.batch))
        """
      },
      { tenant in
        """
        DELETE FROM license_server.report_exports
         WHERE tenant_id = \(tenant)
           AND id IN (SELECT id
                        FROM license_server.report_exports
                       WHERE tenant_id = \(tenant) AND created_at < \(cutoff)
                       ORDER BY created_at
                       LIMIT \(Self.batch))
        """
      },
    ]
    var removed = 0
    var last: TenantID?
    while !Task.isCancelled, let tenant = try await tenant(after: last) {
      for rule in rules { removed += try await inBatches(rule(tenant)) }
      last = tenant
    }
    return removed
  }

  /// The removal from a table whose rows are numbered by time.
  private static func removal(from table: String, of tenant: TenantID, before cutoff: Date) -> PostgresQuery {
    """
    DELETE FROM license_server.\(identifier: table)
     WHERE tenant_id = \(tenant)
       AND sequence IN (SELECT sequence
                          FROM license_server.\(identifier: table)
                         WHERE tenant_id = \(tenant) AND sequence < \(TimeSequence.first(at: cutoff))
                         ORDER BY sequence
                         LIMIT \(batch))
    """
  }

  private func tenant(after last: TenantID?) async throws -> TenantID? {
    try await client.transaction(DatabaseRole.recorder.transaction) { transaction in
      try await transaction.query(
        """
        SELECT tenant_id
          FROM license_server.tenants
         WHERE tenant_id > \(last?.rawValue ?? "")
         ORDER BY tenant_id
         LIMIT 1
        """
      ).first?.get("tenant_id")
    }
  }

  private func inBatches(_ query: PostgresQuery) async throws -> Int {
    var removed = 0
    while !Task.isCancelled {
      let count = try await client.transaction(DatabaseRole.recorder.transaction) { transaction in
        let isMine = try await transaction.query(
          "SELECT pg_try_advisory_xact_lock(hashtextextended('license_server report retention', 0)) AS mine")
        guard try isMine.first?.get("mine") ?? false else { return 0 }
        return try await transaction.query(query).affectedRows
      }
      removed += count
      if count < Self.batch { break }
    }
    return removed
  }
}
