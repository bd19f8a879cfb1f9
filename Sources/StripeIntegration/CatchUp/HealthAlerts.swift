import Foundation
import JSON
import Logging
import Postgres
import Queue
import StripeAPI
import Tenancy

/// Handles Stripe's alerts that it could not create events.
struct HealthAlerts: AlertHandling {
  let database: TenantDatabase
  let logger: Logger

  /// Starts an event sync of one account at once, including the newest events: what is missing is older than the alert, and
  /// no webhook will bring it.
  func raised(_ tenant: Tenant, in transaction: PostgresTransaction) async throws {
    do {
      try await JobStore(tenant: tenant, transaction: transaction)
        .create(
          .eventSync, subject: "alert", parameters: EventSyncWork.parameters.asked, counting: EventSyncWork.counts,
          by: EventSyncSchedule.actor)
    } catch is JobStore.AlreadyOpen {
      // A running sync may have read past what this alert is about, so the next one is soon.
      try await EventSyncQueue.enqueue(tenant, in: transaction)
    }
  }

  /// The alert names no account, so it may concern every account. Makes the syncs of all tenants of the mode due within the
  /// next minutes; those that are due sooner stay so.
  func raised(livemode: Bool) async throws {
    let count = try await database.transaction(as: .worker) { transaction in
      try await transaction.query(
        """
        UPDATE stripe_integration.sweeps
           SET due_at = now() + random() * interval '5 minutes'
         WHERE livemode = \(livemode)
           AND due_at   > now() + interval '5 minutes'
           AND due_at   < 'infinity'
        """
      ).affectedRows
    }
    logger.warning(
      "Stripe could not create events: its lists of events are read soon", metadata: ["accounts": "\(count)"])
  }
}
