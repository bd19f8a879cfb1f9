import Foundation
import Identity
import Postgres
package import StripeAPI
import Tenancy

extension ConnectionStore {
  private static let summaryColumns: PostgresQuery = """
    account_id, livemode, environment, status, installed_at, uninstalled_at, access_token_expires_at, licensekit_base_url,
    parked_reason, parked_detail, parked_at, backfilled_at, created_at, updated_at, read_up_to, swept_at,
    NULLIF(due_at, 'infinity') AS next_sweep_at, found, found_at, problem, gap_from, gap_to,
    \(fragment: PendingApproval.columns)
    """

  private static let summaryTables: PostgresQuery = """
    stripe_integration.connections c
    LEFT JOIN stripe_integration.sweeps USING (account_id, livemode)
    LEFT JOIN (SELECT account_id, livemode, \(fragment: PendingApproval.columns)
                 FROM stripe_integration.installs) installs USING (account_id, livemode)
    """

  /// The connection of one tenant, or nil.
  package func connection(of tenant: Tenant) async throws -> ConnectionSummary? {
    try await database.transaction(for: tenant) { transaction in
      try await transaction.query(
        """
        SELECT \(fragment: Self.summaryColumns)
          FROM \(fragment: Self.summaryTables)
         WHERE account_id = \(tenant.account)
           AND livemode   = \(tenant.livemode)
        """
      ).first.map(Self.summary)
    }
  }

  /// Connections of all tenants, in the order of their ids, for the operator.
  ///
  /// - Parameter cursor: `next` of the previous page; an invalid one begins at the start.
  package func list(
    _ filter: ConnectionFilter = ConnectionFilter(), after cursor: String? = nil, limit: Int = 50
  ) async throws -> (items: [ConnectionSummary], next: String?) {
    let after = cursor.flatMap(Self.tenant(ofCursor:))
    let size = min(max(limit, 1), 500)
    var items = try await database.transaction(as: .operatorPages) { transaction in
      try await transaction.query(
        """
        SELECT \(fragment: Self.summaryColumns)
          FROM \(fragment: Self.summaryTables)
         WHERE (\(after?.account)::text IS NULL
                OR (account_id, livemode) > (\(after?.account)::text, \(after?.livemode)::boolean))
           AND (\(filter.status?.rawValue)::text IS NULL OR status = \(filter.status?.rawValue)::text)
           AND (\(filter.livemode)::boolean IS NULL OR livemode = \(filter.livemode)::boolean)
           AND (\(filter.environment?.rawValue)::text IS NULL
                OR \(fragment: Self.environmentOfRow) = \(filter.environment?.rawValue)::text)
           AND (\(filter.isBlocked)::boolean IS NULL OR (parked_reason IS NOT NULL) = \(filter.isBlocked)::boolean)
         ORDER BY account_id, livemode
         LIMIT \(size + 1)
        """
      ).map(Self.summary)
    }
    guard items.count > size else { return (items, nil) }
    items.removeLast()
    return (items, items.last?.tenant.description)
  }

  /// The cursor is the last tenant's description: `acct_1/live`.
  private static func tenant(ofCursor cursor: String) -> Tenant? {
    let halves = cursor.split(separator: "/", omittingEmptySubsequences: false)
    guard halves.count == 2, !halves[0].isEmpty, halves[1] == "live" || halves[1] == "test" else { return nil }
    return Tenant(account: Stripe.AccountID(String(halves[0])), livemode: halves[1] == "live")
  }

  private static func summary(_ row: PostgresRow) throws -> ConnectionSummary {
    let livemode: Bool = try row.get("livemode")
    let readUpTo: Date? = try row.get("read_up_to")
    let eventSync = try readUpTo.map { readUpTo in
      ConnectionSummary.EventSync(
        readUpTo: readUpTo, syncedAt: try row.get("swept_at"), nextAt: try row.get("next_sweep_at"),
        found: try row.get("found"), foundAt: try row.get("found_at"), problem: try row.get("problem"),
        gapFrom: try row.get("gap_from"), gapTo: try row.get("gap_to"))
    }
    return ConnectionSummary(
      accountID: try row.get("account_id"), livemode: livemode,
      environment: StripeEnvironment(column: try row.get("environment"), livemode: livemode),
      status: try status(row.get("status")), installedAt: try row.get("installed_at"),
      uninstalledAt: try row.get("uninstalled_at"), accessTokenExpiresAt: try row.get("access_token_expires_at"),
      licensekitBaseURL: try row.get("licensekit_base_url"), blockedReason: try row.get("parked_reason"),
      blockedDetail: try row.get("parked_detail"), blockedAt: try row.get("parked_at"),
      backfilledAt: try row.get("backfilled_at"), eventSync: eventSync, pendingApproval: try PendingApproval(row),
      createdAt: try row.get("created_at"),
      updatedAt: try row.get("updated_at"))
  }

  /// The database checks the column; only a newer version of this service could store another word.
  static func status(_ text: String) -> ConnectionStatus { ConnectionStatus(rawValue: text) ?? .disconnected }
}
