import Foundation
import Identity
import Postgres
import StripeAPI

/// The installation of the app in a tenant's account as Stripe sees it, within a transaction of that tenant.
struct InstallStore {
  let tenant: Tenant
  let transaction: PostgresTransaction

  /// Stores what an event or the list of installations says. News that is older than what is known changes nothing.
  /// - Parameter moment: on Stripe's clock: when the event was made, or a time before the list was read.
  func note(_ install: AppInstall, asOf moment: Date) async throws {
    try await transaction.query(
      """
      INSERT INTO stripe_integration.installs AS i
             (account_id, livemode, install_id, status, channel, permissions_granted, permissions_pending,
              endpoints_pending, approval_required, installed_at, pending_since, as_of)
      VALUES (\(tenant.account), \(tenant.livemode), \(install.id), \(install.status.rawValue), \(install.channel),
              \(install.permissionsGranted)::text[], \(install.permissionsPending)::text[],
              \(install.endpointsPending)::text[], \(install.approvalRequired), \(install.created),
              CASE WHEN \(install.isApprovalPending) THEN \(moment)::timestamptz END, \(moment))
      ON CONFLICT (account_id, livemode) DO UPDATE
         SET install_id          = excluded.install_id,
             status              = excluded.status,
             channel             = excluded.channel,
             permissions_granted = excluded.permissions_granted,
             permissions_pending = excluded.permissions_pending,
             endpoints_pending   = excluded.endpoints_pending,
             approval_required   = excluded.approval_required,
             installed_at        = excluded.installed_at,
             pending_since       = CASE WHEN excluded.pending_since IS NOT NULL
                                        THEN COALESCE(i.pending_since, excluded.pending_since) END,
             as_of               = excluded.as_of,
             updated_at          = now()
       WHERE (i.as_of, i.installed_at) <= (excluded.as_of, excluded.installed_at)
      """)
  }

  /// The installation is over and waits for nothing. Late news about it no longer changes that.
  func end(asOf moment: Date) async throws {
    try await transaction.query(
      """
      INSERT INTO stripe_integration.installs AS i
             (account_id, livemode, install_id, status, installed_at, as_of)
      VALUES (\(tenant.account), \(tenant.livemode), '', 'uninstalled', \(moment), \(moment))
      ON CONFLICT (account_id, livemode) DO UPDATE
         SET status              = excluded.status,
             permissions_granted = excluded.permissions_granted,
             permissions_pending = excluded.permissions_pending,
             endpoints_pending   = excluded.endpoints_pending,
             approval_required   = excluded.approval_required,
             pending_since       = NULL,
             as_of               = GREATEST(i.as_of, excluded.as_of),
             updated_at          = now()
      """)
  }

  /// What waits for the vendor's approval; nil if nothing does.
  func pendingApproval() async throws -> PendingApproval? {
    try await transaction.query(
      """
      SELECT \(fragment: PendingApproval.columns)
        FROM stripe_integration.installs
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
         AND pending_since IS NOT NULL
      """
    ).first.flatMap(PendingApproval.init)
  }
}
