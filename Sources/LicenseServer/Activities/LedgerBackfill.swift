import Foundation
import Logging
import Postgres
import ServerKit

/// Makes the missing ledger entries of uses: those from before the ledger existed, and those that a replica of an older
/// version counts during an upgrade. It works in small batches, from any number of replicas at once. If nothing is missing,
/// it costs one look at an empty index.
struct LedgerBackfill: PeriodicService {
  static let batch = 500
  let interval = Duration.seconds(60)

  let client: PostgresClient
  let logger: Logger

  var name: String { "making ledger entries" }

  func work() async throws {
    while try await step() == Self.batch, !Task.isCancelled {}
  }

  /// One batch.
  /// - Returns: how many entries were made.
  @discardableResult
  func step() async throws -> Int {
    try await client.transaction(DatabaseRole.recorder.transaction) { transaction in
      try await transaction.query(
        """
        WITH missing AS (
          SELECT tenant_id, license_id, event_id, feature_id, amount, created_at
            FROM license_server.usage_events
           WHERE ledger_sequence IS NULL
           ORDER BY tenant_id, license_id, event_id
           LIMIT \(Self.batch)
             FOR UPDATE SKIP LOCKED
        ), numbered AS MATERIALIZED (
          SELECT m.*, license_server.time_sequence(m.created_at) AS sequence
            FROM missing m
        ), entries AS (
          INSERT INTO license_server.usage_ledger
                 (tenant_id, sequence, created_at, action,
                  license_id, product_id, policy_id, customer_id, order_id, subscription_id,
                  feature_id, feature_code, amount, consumed_change, event_id, actor_type, actor_id)
          SELECT n.tenant_id, n.sequence, n.created_at, 'consume',
                 l.id, l.product_id, l.policy_id, l.customer_id, l.order_id, l.subscription_id,
                 f.id, f.code, n.amount, n.amount, n.event_id, 'license', l.id
            FROM numbered n
            JOIN license_server.licenses l ON l.tenant_id = n.tenant_id AND l.id = n.license_id
            JOIN license_server.features f ON f.tenant_id = n.tenant_id AND f.id = n.feature_id
        )
        UPDATE license_server.usage_events u
           SET ledger_sequence = n.sequence
          FROM numbered n
         WHERE u.tenant_id = n.tenant_id AND u.license_id = n.license_id AND u.event_id = n.event_id
        """
      ).affectedRows
    }
  }
}
