import Foundation
import Identity
import Logging
import Postgres
import StripeAPI

/// Turns stored events into facts and marks the purchases they concern. Everything one batch does is one transaction: an
/// event is marked as handled by the transaction that has its effect, and by no other.
struct EventRouter: Sendable {
  let database: TenantDatabase
  let application: any ApplicationEventHandling
  let recent: RecentEvents
  let logger: Logger

  static let batchSize = 50

  /// Tenants with events that wait to be routed. The cost follows their number, not that of all tenants: the index of
  /// open rows is skipped through tenant by tenant.
  func tenantsWithWork(limit: Int = 200) async throws -> [Tenant] {
    try await database.transaction(as: .worker) { transaction in
      try await transaction.query(
        """
        WITH RECURSIVE tenants AS (
          (SELECT account_id, livemode
             FROM stripe_integration.inbox
            WHERE state = 'new'
            ORDER BY account_id, livemode
            LIMIT 1)
          UNION ALL
          SELECT n.account_id, n.livemode
            FROM tenants t
           CROSS JOIN LATERAL (
                 SELECT i.account_id, i.livemode
                   FROM stripe_integration.inbox i
                  WHERE i.state = 'new'
                    AND (i.account_id, i.livemode) > (t.account_id, t.livemode)
                  ORDER BY i.account_id, i.livemode
                  LIMIT 1) n
        )
        SELECT account_id, livemode FROM tenants LIMIT \(limit)
        """
      ).map { row in Tenant(account: try row.get("account_id"), livemode: try row.get("livemode")) }
    }
  }

  /// Routes the oldest open events of one tenant.
  /// - Returns: how many were taken.
  func routeBatch(of tenant: Tenant) async throws -> Int {
    try await database.transaction(for: tenant) { transaction in
      let index = PurchaseIndex(tenant: tenant, transaction: transaction)
      try await index.lock()
      let rows = try await transaction.query(
        """
        SELECT event_id, body
          FROM stripe_integration.inbox
         WHERE account_id = \(tenant.account)
           AND livemode   = \(tenant.livemode)
           AND state      = 'new'
         ORDER BY received_at
         LIMIT \(Self.batchSize)
           FOR UPDATE SKIP LOCKED
        """)
      guard !rows.isEmpty else { return 0 }
      var isConnected = try await self.isConnected(tenant, transaction)
      for row in rows {
        let id: String = try row.get("event_id")
        let outcome = try await route(body: try row.get("body"), tenant, index, isConnected: &isConnected)
        try await transaction.query(
          """
          UPDATE stripe_integration.inbox
             SET state      = \(outcome.state.rawValue),
                 outcome    = \(outcome.text),
                 attempts   = attempts + 1,
                 handled_at = now()
           WHERE account_id = \(tenant.account)
             AND livemode   = \(tenant.livemode)
             AND event_id   = \(id)
          """)
      }
      return rows.count
    }
  }

  private enum State: String { case waiting, done, ignored, failed }

  private func isConnected(_ tenant: Tenant, _ transaction: PostgresTransaction) async throws -> Bool {
    let status: String? = try await transaction.query(
      """
      SELECT status
        FROM stripe_integration.connections
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
      """
    ).first?.get("status")
    return status == "connected"
  }

  private func route(
    body: String, _ tenant: Tenant, _ index: PurchaseIndex, isConnected: inout Bool
  ) async throws -> (state: State, text: String?) {
    let event: StripeEvent
    let effect: EventEffect
    do {
      event = try StripeEvent(parsing: Array(body.utf8))
      effect = try EventTable.effect(of: event)
    } catch {
      await recent.doubt(tenant)
      logger.warning("event cannot be read", metadata: ["tenant": "\(tenant)", "error": "\(error)"])
      return (.failed, "The event cannot be read: \(error)")
    }
    switch effect {
    case .application(let change):
      try await application.handle(change, event: event, of: tenant, in: index.transaction)
      isConnected = try await self.isConnected(tenant, index.transaction)
      return (.done, change == .authorized ? "The app was installed." : "The app was uninstalled.")
    case .ignore(let reason):
      return (.ignored, reason)
    case .learn(let snapshot, let attention):
      guard isConnected else { return (.waiting, "Waits until the account is connected.") }
      return try await learn(snapshot, attention, event, index)
    }
  }

  private func learn(
    _ snapshot: Snapshot, _ attention: EventEffect.Attention, _ event: StripeEvent, _ index: PurchaseIndex
  ) async throws -> (state: State, text: String?) {
    let fact = Fact(snapshot, asOf: event.created, source: .event)
    let isNews = try await FactStore(tenant: index.tenant, transaction: index.transaction).learn(fact)
    guard attention != .none else { return (.done, "Remembered.") }
    guard let purchase = try await index.purchase(of: snapshot.aliases, creating: attention == .always) else {
      return (.done, "Remembered; it belongs to no known purchase.")
    }
    try await Timeline(tenant: index.tenant, purchase: purchase, transaction: index.transaction)
      .add(.event, event.type.rawValue, detail: "\(event.id) about \(snapshot.key)\(isNews ? "" : ", nothing new")")
    try await index.mark(purchase)
    return (.done, "Purchase \(purchase)")
  }
}

/// What the installation of the app means to the connections.
protocol ApplicationEventHandling: Sendable {
  func handle(
    _ change: EventEffect.Application, event: StripeEvent, of tenant: Tenant, in transaction: PostgresTransaction
  ) async throws
}
