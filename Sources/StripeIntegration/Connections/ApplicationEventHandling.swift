import Foundation
import Postgres
import Purchases
import StripeAPI

/// Applies events about the app's installation to the connections.
protocol ApplicationEventHandling: Sendable {
  /// - Parameters:
  ///   - moment: when Stripe made the event.
  ///   - signedFor: the only environment that its signature vouches for; nil if it vouches for all of its mode.
  func handle(
    _ change: EventEffect.Application, at moment: Date, signedFor: StripeEnvironment?, of tenant: Tenant,
    in transaction: PostgresTransaction
  ) async throws -> ApplicationOutcome
}

/// The outcome of an event about an installation, as the list of events shows it.
enum ApplicationOutcome: Hashable, Sendable {
  case taken(String)
  /// It is about another app in the same account.
  case notOurs(String)
}
