import Foundation
import Identity
import Logging
import Postgres
import ServiceLifecycle
import Storage
import StripeAPI
import Tenancy

/// Plans an event sync of each connected tenant, repeatedly. Every replica runs it, and only one gets each due sync.
struct EventSyncSchedule: Service {
  let database: TenantDatabase
  /// Between two syncs of a tenant.
  let interval: Duration
  /// Between two looks at what is due.
  let pollInterval: Duration
  let logger: Logger

  /// How many tenants one look starts at most, even after an outage.
  static let tenantsPerLook = 100

  func run() async throws {
    await cancelWhenGracefulShutdown {
      var isAdopted = false
      while !Task.isCancelled {
        do {
          if !isAdopted {
            try await adopt()
            isAdopted = true
          }
          try await plan()
        } catch is CancellationError {
          return
        } catch {
          logger.error("scheduling event sync failed", metadata: ["error": "\(error)"])
        }
        try? await Task.sleep(for: pollInterval * Double.random(in: 0.75...1.25))
      }
    }
  }

  /// Makes the jobs of the syncs that are due.
  /// - Returns: how many.
  @discardableResult
  func plan() async throws -> Int {
    let due = try await database.transaction(as: .worker) { transaction in
      try await EventSyncStore.queue(every: interval).due(atMost: Self.tenantsPerLook, in: transaction)
    }
    var planned = 0
    for tenant in due {
      try Task.checkCancellation()
      if try await plan(tenant) { planned += 1 }
    }
    return planned
  }

  private func plan(_ tenant: Tenant) async throws -> Bool {
    try await database.transaction(for: tenant) { transaction in
      let due = try await EventSyncStore(tenant: tenant, transaction: transaction).takeDue(every: interval)
      guard let due else { return false }
      // A sync that found nothing leaves only the time it ended. Otherwise, at one an hour, most jobs would be empty syncs.
      try await transaction.query(
        """
        DELETE FROM stripe_integration.jobs
         WHERE account_id   = \(tenant.account)
           AND livemode     = \(tenant.livemode)
           AND kind         = \(JobKind.eventSync.rawValue)
           AND state        = 'succeeded'
           AND requested_by = \(Self.actor)
           AND finished_at IS NOT NULL
           AND COALESCE((progress ->> 'found')::bigint, 0) = 0
           AND COALESCE((progress ->> 'reopened')::bigint, 0) = 0
        """)
      do {
        try await JobStore(tenant: tenant, transaction: transaction)
          .create(
            .eventSync, parameters: due.isFirst ? EventSyncWork.parameters.asked : EventSyncWork.parameters.scheduled,
            counting: EventSyncWork.counts, by: Self.actor)
        return true
      } catch is JobStore.AlreadyOpen {
        return false
      }
    }
  }

  static let actor = "schedule"

  /// Adds tenants that were connected before event sync existed.
  func adopt() async throws {
    while true {
      let tenants = try await database.transaction(as: .worker) { transaction in
        try await transaction.query(
          """
          SELECT c.account_id, c.livemode
            FROM stripe_integration.connections c
           WHERE c.status = 'connected'
             AND NOT EXISTS (SELECT FROM stripe_integration.sweeps s
                              WHERE s.account_id = c.account_id
                                AND s.livemode   = c.livemode)
           LIMIT \(Self.tenantsPerLook)
          """
        ).map { row in Tenant(account: try row.get("account_id"), livemode: try row.get("livemode")) }
      }
      if tenants.isEmpty { return }
      for tenant in tenants {
        try await database.transaction(for: tenant) { transaction in
          try await EventSyncStore(tenant: tenant, transaction: transaction).adopt(within: interval)
        }
      }
    }
  }
}
