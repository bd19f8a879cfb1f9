package import Foundation
package import Logging
package import Postgres
import Purchases
package import StripeAPI

/// Applies the installation and removal of the app, as Stripe announces them, to a connection. It works in the transaction
/// that marks the event as handled. It makes no calls: when a removal is announced, the tokens are dead.
///
/// Stripe sends two events about one change, `account.application.*` and `apps.install.*`, in any order. Either is enough,
/// and the later one changes nothing. `account.application.*` names no app and goes only to the app's own developer;
/// `apps.install.*` names it, and may be about another app of the same account.
package struct ApplicationEvents: Sendable {
  private let apiAccess: IntegrationConfiguration.APIAccess
  private let environments: [StripeEnvironment]
  private let appID: String
  private let logger: Logger

  /// - Parameters:
  ///   - environments: the configured ones.
  ///   - appID: the app, by the id in its manifest.
  package init(
    apiAccess: IntegrationConfiguration.APIAccess = .oauth, environments: [StripeEnvironment] = [.live, .test],
    appID: String = IntegrationConfiguration.defaultAppID, logger: Logger
  ) {
    self.apiAccess = apiAccess
    self.environments = environments
    self.appID = appID
    self.logger = logger
  }

  /// The app was installed. The event carries no tokens, and comes before, during or after the exchange of the code. If the
  /// app calls with tokens, it makes at most a pending row; if with the developer's key, it is the connection.
  /// - Parameter signedFor: the only environment that the signature vouches for; nil if it vouches for all of the mode.
  package func authorized(
    _ tenant: Tenant, created: Date, signedFor: StripeEnvironment? = nil, in transaction: PostgresTransaction
  ) async throws {
    let environment = announced(tenant, signedFor)
    switch apiAccess {
    case .oauth: try await ConnectionStore.announce(tenant, environment, at: created, in: transaction)
    case .platform:
      // An event signed by live mode's secret may be of test mode or of a sandbox; the list of each names its own
      // installations.
      let possible = environments.filter { $0.livemode == tenant.livemode }
      guard signedFor != nil || possible.count < 2 else {
        try await ConnectionStore.announce(tenant, environment, at: created, in: transaction)
        try await InstallListStore.ask(possible, in: transaction)
        return
      }
      try await ConnectionStore.connectWithoutTokens(tenant, environment, at: created, in: transaction)
    }
  }

  private func announced(_ tenant: Tenant, _ signedFor: StripeEnvironment?) -> StripeEnvironment {
    .announced(livemode: tenant.livemode, signedFor: signedFor, configured: environments)
  }

  /// The app was uninstalled: ends the connection, unless it was installed again after the event was made.
  /// - Parameter signedFor: as for ``authorized(_:created:signedFor:in:)``.
  package func deauthorized(
    _ tenant: Tenant, created: Date, signedFor: StripeEnvironment? = nil, in transaction: PostgresTransaction
  ) async throws {
    switch try await ConnectionStore.uninstalled(
      tenant, announced(tenant, signedFor), at: created, in: transaction)
    {
    case .ended: logger.info("the app was uninstalled", metadata: ["tenant": "\(tenant)"])
    case .endedBefore: break
    case .ofAnEarlierInstallation:
      logger.info(
        "a late uninstall event of an earlier installation had no effect", metadata: ["tenant": "\(tenant)"])
    }
  }

  private func note(
    _ install: AppInstall, _ tenant: Tenant, created: Date, signedFor: StripeEnvironment?,
    in transaction: PostgresTransaction
  ) async throws -> String {
    try await InstallStore(tenant: tenant, transaction: transaction).note(install, asOf: created)
    guard install.status == .installed else { return "The installation is \(install.status.rawValue)." }
    try await authorized(tenant, created: created, signedFor: signedFor, in: transaction)
    guard install.isApprovalPending else { return "The app is installed." }
    logger.notice("an installation waits for the vendor's approval", metadata: ["tenant": "\(tenant)"])
    let asked = install.pending.isEmpty ? "" : ": \(install.pending.joined(separator: ", "))"
    return "The app is installed, and waits for the vendor's approval\(asked)."
  }
}

extension ApplicationEvents: ApplicationEventHandling {
  func handle(
    _ change: EventEffect.Application, at moment: Date, signedFor: StripeEnvironment?, of tenant: Tenant,
    in transaction: PostgresTransaction
  ) async throws -> ApplicationOutcome {
    switch change {
    case .authorized:
      try await authorized(tenant, created: moment, signedFor: signedFor, in: transaction)
      return .taken("The app was installed.")
    case .deauthorized:
      try await deauthorized(tenant, created: moment, signedFor: signedFor, in: transaction)
      return .taken("The app was uninstalled.")
    case .install(_, let install) where install.app != appID:
      return .notOurs("It is about another app: \(install.app).")
    case .install(.deleted, _):
      try await deauthorized(tenant, created: moment, signedFor: signedFor, in: transaction)
      return .taken("The app was uninstalled.")
    case .install(.created, let install), .install(.updated, let install):
      return .taken(try await note(install, tenant, created: moment, signedFor: signedFor, in: transaction))
    }
  }
}
