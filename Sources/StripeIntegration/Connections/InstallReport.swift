import Foundation
import Identity
import Postgres
import StripeAPI
import Tenancy

extension InstallListStore {
  /// Further accounts are not named.
  private static var mostNamed: Int { 20 }

  /// What the operator should know about the app's installations before anything fails, in words: why Stripe's lists cannot
  /// be read, and which accounts must approve what the app asks for.
  func report() async throws -> [String] {
    let problems = try await statuses().compactMap { status in
      status.problem.map { "the list of \(status.environment.rawValue) was not read: \($0)" }
    }
    let pending = try await database.transaction(as: .operatorPages) { transaction in
      try await transaction.query(
        """
        SELECT account_id, livemode, \(fragment: PendingApproval.columns)
          FROM stripe_integration.installs
          JOIN stripe_integration.connections c USING (account_id, livemode)
         WHERE pending_since IS NOT NULL
           AND c.status = 'connected'
         ORDER BY account_id, livemode
         LIMIT \(Self.mostNamed + 1)
        """
      ).compactMap { row in
        let tenant = Tenant(account: try row.get("account_id"), livemode: try row.get("livemode"))
        return try PendingApproval(row).map { "\(tenant) must approve \($0.asked)" }
      }
    }
    return problems + pending.prefix(Self.mostNamed)
      + (pending.count > Self.mostNamed ? ["more accounts must approve what the app asks for"] : [])
  }
}
