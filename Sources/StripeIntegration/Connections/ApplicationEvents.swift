public import Foundation
public import Logging
public import Postgres
import StripeAPI

/// What the installation and the removal of the app, as Stripe announces them, mean to a connection. Works within the
/// transaction that marks the event as handled; calls nobody, since the tokens are dead when a removal is announced.
public struct ApplicationEvents: Sendable {
  private let apiAccess: IntegrationConfiguration.APIAccess
  private let logger: Logger

  public init(apiAccess: IntegrationConfiguration.APIAccess = .oauth, logger: Logger) {
    self.apiAccess = apiAccess
    self.logger = logger
  }

  /// `account.application.authorized`: carries no tokens and comes before, during or after the exchange of the code. With
  /// tokens it makes at most a pending row; with the developer's key it is the connection.
  public func authorized(
    _ tenant: Tenant, created: Date, in transaction: PostgresTransaction
  ) async throws {
    switch apiAccess {
    case .oauth: try await ConnectionStore.announce(tenant, at: created, in: transaction)
    case .platform: try await ConnectionStore.connectWithoutTokens(tenant, at: created, in: transaction)
    }
  }

  /// `account.application.deauthorized`: ends the connection, unless it was installed again after the event was made.
  public func deauthorized(
    _ tenant: Tenant, created: Date, in transaction: PostgresTransaction
  ) async throws {
    let isEnded = try await ConnectionStore.uninstalled(tenant, at: created, in: transaction)
    logger.info(
      isEnded ? "the app was uninstalled" : "a late uninstall event of an earlier installation had no effect",
      metadata: ["tenant": "\(tenant)"])
  }
}

extension ApplicationEvents: ApplicationEventHandling {
  func handle(
    _ change: EventEffect.Application, event: StripeEvent, of tenant: Tenant, in transaction: PostgresTransaction
  ) async throws {
    switch change {
    case .authorized: try await authorized(tenant, created: event.created, in: transaction)
    case .deauthorized: try await deauthorized(tenant, created: event.created, in: transaction)
    }
  }
}
