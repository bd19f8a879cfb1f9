import Logging
import Metrics
import Postgres
import ServerKit

/// Shows how far linking and delivering are behind, over all tenants. Every replica shows the same.
struct BacklogMetrics: PeriodicService {
  let store: TenantStore
  let interval: Duration
  let logger: Logger

  /// Counting stops here.
  static let most = 10_000

  var name: String { "counting the backlog" }

  func work() async throws {
    let backlog = try await backlog()
    Gauge(label: "license_server_events_unlinked").record(backlog.unlinked)
    Gauge(label: "license_server_webhooks_late_seconds").record(backlog.late)
  }

  /// - Returns: events without a link, and for how many seconds the endpoint that waits longest has been due.
  func backlog() async throws -> (unlinked: Int, late: Double) {
    let unlinked: Int? = try await store.transaction(as: .linker) { transaction in
      try await transaction.query(
        "SELECT count(*) AS n FROM (SELECT FROM license_server.unlinked_events LIMIT \(Self.most)) u"
      ).first?.get("n")
    }
    let late: Double? = try await store.transaction(as: .dispatcher) { transaction in
      try await transaction.query(
        """
        SELECT extract(epoch FROM now() - due_at)::double precision AS late
          FROM license_server.webhook_lanes
         WHERE due_at <= now() AND claimed_until <= now()
         ORDER BY due_at
         LIMIT 1
        """
      ).first?.get("late")
    }
    return (unlinked ?? 0, late ?? 0)
  }
}
