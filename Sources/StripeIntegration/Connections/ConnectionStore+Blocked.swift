import Identity
import Postgres
import Purchases
import StripeAPI
import Tenancy

extension ConnectionStore {
  /// Tenants that are blocked for a reason, in the order of their ids.
  func blocked(
    _ reason: TenantUnavailable.Reason, livemode: Bool?, after last: Tenant?, limit: Int
  ) async throws -> [Tenant] {
    try await database.transaction(as: .operatorPages) { transaction in
      try await transaction.query(
        """
        SELECT account_id, livemode
          FROM stripe_integration.connections
         WHERE parked_reason = \(reason.rawValue)
           AND (account_id, livemode) > (\(last?.account.rawValue ?? "")::text, \(last?.livemode ?? false)::boolean)
           AND (\(livemode)::boolean IS NULL OR livemode = \(livemode)::boolean)
         ORDER BY account_id, livemode
         LIMIT \(limit)
        """
      ).map { row in Tenant(account: try row.get("account_id"), livemode: try row.get("livemode")) }
    }
  }
}
