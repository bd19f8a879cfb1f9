import Foundation
public import Postgres
package import StripeAPI
import Tenancy

/// When the lists of installations are read, and what came of it: one row for each environment of the app.
struct InstallListStore {
  struct Status: Sendable {
    let environment: StripeEnvironment
    let readAt: Date?
    let dueAt: Date
    /// Why the list cannot be read; nil while it can.
    let problem: String?
  }

  let database: TenantDatabase

  /// The first look of a new deployment is a few minutes after its start.
  static let firstLook = "5 minutes"
  /// Between two looks that events give reason for: a new version of the app makes an event for each installation.
  static let shortestInterval = "5 minutes"
  /// A replica that dies over a list leaves it for this long.
  static let lease = "15 minutes"

  func adopt(_ environments: [StripeEnvironment]) async throws {
    try await database.transaction(as: .worker) { transaction in
      _ = try await transaction.query(
        """
        INSERT INTO stripe_integration.install_lists (environment, due_at)
        SELECT environment, now() + \(Self.firstLook)::text::interval
          FROM unnest(\(environments.map(\.rawValue))::text[]) AS environment
            ON CONFLICT DO NOTHING
        """)
    }
  }

  /// Takes the list that is due.
  /// - Returns: nil when none is, or another replica has it.
  func take(_ environments: [StripeEnvironment]) async throws -> StripeEnvironment? {
    try await database.transaction(as: .worker) { transaction in
      try await transaction.query(
        """
        WITH next AS (
          SELECT environment
            FROM stripe_integration.install_lists
           WHERE environment = ANY(\(environments.map(\.rawValue)))
             AND leased_until <= now()
             AND (due_at <= now()
                  OR (asked_at IS NOT NULL
                      AND (tried_at IS NULL OR tried_at <= now() - \(Self.shortestInterval)::text::interval)))
           ORDER BY due_at
           LIMIT 1
             FOR UPDATE SKIP LOCKED
        )
        UPDATE stripe_integration.install_lists l
           SET leased_until = now() + \(Self.lease)::text::interval,
               tried_at     = now(),
               asked_at     = NULL
          FROM next n
         WHERE l.environment = n.environment
        RETURNING l.environment
        """
      ).first?.get("environment")
    }
  }

  /// Keeps the list for another while.
  func hold(_ environment: StripeEnvironment) async throws {
    try await database.transaction(as: .worker) { transaction in
      _ = try await transaction.query(
        """
        UPDATE stripe_integration.install_lists
           SET leased_until = now() + \(Self.lease)::text::interval
         WHERE environment = \(environment.rawValue)
        """)
    }
  }

  /// Plans the next look. If an event has asked for one since this one began, it is sooner.
  /// - Parameter problem: why it was not read to its end; nil when it was.
  func finish(_ environment: StripeEnvironment, problem: String? = nil, next: Duration) async throws {
    try await database.transaction(as: .worker) { transaction in
      _ = try await transaction.query(
        """
        UPDATE stripe_integration.install_lists
           SET read_at      = CASE WHEN \(problem == nil) THEN now() ELSE read_at END,
               problem      = \(problem),
               due_at       = now() + make_interval(secs => \(next / .seconds(1))::double precision),
               leased_until = '-infinity'
         WHERE environment = \(environment.rawValue)
        """)
    }
  }

  func statuses() async throws -> [Status] {
    try await database.transaction(as: .operatorPages) { transaction in
      try await transaction.query(
        """
        SELECT environment, read_at, due_at, problem
          FROM stripe_integration.install_lists
         ORDER BY environment
        """
      ).map { row in
        Status(
          environment: try row.get("environment"), readAt: try row.get("read_at"), dueAt: try row.get("due_at"),
          problem: try row.get("problem"))
      }
    }
  }

  /// Has the lists read now, because a person asked for it.
  func askNow() async throws {
    try await database.transaction(as: .worker) { transaction in
      _ = try await transaction.query(
        """
        UPDATE stripe_integration.install_lists
           SET due_at   = now(),
               asked_at = now(),
               tried_at = NULL
        """)
    }
  }

  /// Has lists read soon, because an event of the developer's own account gives a reason.
  func ask(_ environments: some Collection<StripeEnvironment>) async throws {
    try await database.transaction(as: .worker) { try await Self.ask(environments, in: $0) }
  }

  /// Has lists read soon, because an event gives a reason. It never waits: whoever holds a row has that list read as well.
  static func ask(
    _ environments: some Collection<StripeEnvironment>, in transaction: PostgresTransaction
  ) async throws {
    try await transaction.query(
      """
      UPDATE stripe_integration.install_lists
         SET asked_at = now()
       WHERE environment IN (SELECT environment
                               FROM stripe_integration.install_lists
                              WHERE environment = ANY(\(environments.map(\.rawValue)))
                                AND asked_at IS NULL
                                FOR UPDATE SKIP LOCKED)
      """)
  }
}

extension StripeEnvironment: PostgresDecodable {}
