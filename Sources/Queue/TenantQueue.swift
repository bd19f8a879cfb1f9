package import Foundation
import Identity
package import Postgres
import ServerKit
import Storage
package import StripeAPI
package import Tenancy

/// A queue of tenants that have work of one kind: a ``Storage/ClaimQueue`` with one row a tenant.
package struct TenantQueue: Sendable {
  /// What waits. Each kind has a table with one row a tenant.
  package enum Kind: Sendable, CaseIterable {
    /// Purchases to reconcile, and objects of thin events to ask for.
    case purchases
    /// Long work that a person or a schedule asked for.
    case jobs

    /// How long a replica that dies keeps the tenant waiting.
    package var claim: Duration {
      switch self {
      case .purchases: .seconds(20)
      case .jobs: .seconds(30)
      }
    }

    private var interval: PostgresQuery { "interval '\(unescaped: String(claim.components.seconds)) seconds'" }

    fileprivate var queue: ClaimQueue<Tenant> {
      switch self {
      case .purchases:
        // Until when the circuit breaker is open (``CircuitBreaker``): nothing is due before.
        ClaimQueue(table: "stripe_integration.turns", claim: .held(interval), notBefore: "q.paused_until")
      case .jobs: ClaimQueue(table: "stripe_integration.job_turns", claim: .held(interval))
      }
    }
  }

  package let kind: Kind
  package let database: TenantDatabase

  package init(_ kind: Kind, database: TenantDatabase) {
    self.kind = kind
    self.database = database
  }

  /// Claims the tenant that waits longest; nil when none is due.
  package func claim() async throws -> Tenant? {
    try await database.transaction(as: .worker) { transaction in
      try await kind.queue.claimNext(in: transaction)
    }
  }

  /// Keeps the claim for another while.
  package func extend(_ tenant: Tenant) async throws {
    try await database.transaction(for: tenant) { transaction in
      try await Self.extend(kind, tenant, in: transaction)
    }
  }

  /// Keeps the claim for another while, within a transaction of the tenant.
  package static func extend(_ kind: Kind, _ tenant: Tenant, in transaction: PostgresTransaction) async throws {
    try await kind.queue.extend(tenant, in: transaction)
  }

  /// Makes the tenant due, within a transaction of the tenant; not while the circuit breaker is open.
  /// - Parameter moment: now when nil. A tenant that is due sooner stays so.
  package static func enqueue(
    _ tenant: Tenant, in kind: Kind, at moment: Date? = nil, _ transaction: PostgresTransaction
  ) async throws {
    try await kind.queue.enqueue(tenant, at: moment, in: transaction)
  }

  /// Ends the claim: the tenant is due again when its next piece of work is, behind those that wait now. The claim ends even
  /// if the service is stopping, so that no other replica waits for it to expire.
  /// - Parameters:
  ///   - isBlocked: a condition: nothing can be done for the tenant, so that it is not due until somebody enqueues it.
  ///   - nextDue: an expression: when the next piece of its work is due, NULL when there is none.
  package func release(_ tenant: Tenant, isBlocked: PostgresQuery, nextDue: PostgresQuery) async throws {
    try await uncancelled {
      try await database.transaction(for: tenant) { transaction in
        try await kind.queue.release(tenant, isBlocked: isBlocked, nextDue: nextDue, in: transaction)
      }
    }
  }
}

extension TenantQueue {
  /// A condition: the tenant's connection is there and in order.
  package static func isConnected(_ tenant: Tenant) -> PostgresQuery {
    """
    EXISTS (SELECT FROM stripe_integration.connections c
             WHERE c.account_id = \(tenant.account)
               AND c.livemode   = \(tenant.livemode)
               AND c.parked_reason IS NULL
               AND c.status     = 'connected')
    """
  }

  /// A condition: the tenant has a connection that only a person can mend. One that was never connected is not blocked: its
  /// work says so itself.
  package static func isBlocked(_ tenant: Tenant) -> PostgresQuery {
    """
    EXISTS (SELECT FROM stripe_integration.connections c
             WHERE c.account_id = \(tenant.account)
               AND c.livemode   = \(tenant.livemode)
               AND (c.parked_reason IS NOT NULL OR c.status <> 'connected'))
    """
  }
}
