import Foundation
public import Postgres
package import StripeAPI
import Tenancy

/// When the lists of installations are read, and the results: one row for each environment of the app.
struct InstallListStore {
  struct Status: Sendable {
    let environment: StripeEnvironment
    let readAt: Date?
    let dueAt: Date
    /// Why the list cannot be read; nil if it can.
    let problem: String?
  }

  let database: TenantDatabase

  /// A new deployment first looks a few minutes after its start.
  static let firstLook = "5 minutes"
  /// The shortest time between two looks that events cause: a new version of the app makes an event for each installation.
  static let shortestInterval = "5 minutes"
  /// If a replica dies while it reads a list, the list waits this long.
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
  /// - Returns: nil if none is due, or another replica has it.
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

  /// Extends the lease on the list.
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

  /// Plans the next look. It is sooner if an event has asked for one since this one began.
  /// - Parameter problem: why the list was not read completely; nil if it was.
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

  /// Has the lists read now, for a person.
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

  /// Has lists read soon, because of an event of the developer's own account.
  func ask(_ environments: some Collection<StripeEnvironment>) async throws {
    try await database.transaction(as: .worker) { try await Self.ask(environments, in: $0) }
  }

  /// Has lists read soon, because of an event. It never waits: if another transaction holds a row, that one has the list read
  /// as well.
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
