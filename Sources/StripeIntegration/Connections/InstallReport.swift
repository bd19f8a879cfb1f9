import Foundation
import Identity
import Postgres
import StripeAPI

/// What is to be known of the app's installations before anything fails, in words for the operator.
public struct InstallReport: Hashable, Sendable {
  /// What keeps Stripe's lists of installations from being read.
  public let problems: [String]
  /// Accounts that must approve what the app asks for.
  public let notes: [String]

  /// More accounts are counted and not named.
  static let mostNamed = 20
}

extension InstallListStore {
  func report() async throws -> InstallReport {
    let problems = try await statuses().compactMap { status in
      status.problem.map { "\(status.environment.rawValue): \($0)" }
    }
    let pending = try await database.transaction(as: .operatorPages) { transaction in
      try await transaction.query(
        """
        SELECT account_id, livemode, \(fragment: PendingApproval.columns)
          FROM stripe_integration.installs
         WHERE pending_since IS NOT NULL
         ORDER BY account_id, livemode
         LIMIT \(InstallReport.mostNamed + 1)
        """
      ).compactMap { row in
        let tenant = Tenant(account: try row.get("account_id"), livemode: try row.get("livemode"))
        return try PendingApproval(row).map { pending in
          "\(tenant): must approve \((pending.permissions + pending.endpoints).joined(separator: ", "))"
        }
      }
    }
    let named = pending.prefix(InstallReport.mostNamed)
    return InstallReport(
      problems: problems, notes: named + (pending.count > named.count ? ["more accounts must approve the app"] : []))
  }
}

extension IntegrationServer {
  /// What is to be known of the app's installations, for the doctor.
  public func installReport() async throws -> InstallReport {
    try await InstallListStore(database: database).report()
  }
}
