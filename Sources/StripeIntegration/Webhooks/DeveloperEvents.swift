import Postgres
import Purchases
import StripeAPI
import Tenancy

/// Handles events that name no account: the developer's own. Two kinds of them concern tenants. None of them is stored.
struct DeveloperEvents: Sendable {
  let database: TenantDatabase
  let alerts: any AlertHandling

  /// - Parameter signedFor: the only environment that the signature vouches for; nil if it vouches for all of its mode.
  func take(_ event: EventEnvelope, signedFor: StripeEnvironment?) async throws {
    if EventTable.isHealthAlert(event.type) {
      try await alerts.raised(livemode: event.livemode)
    } else if EventTable.tellsOfInstall(event.type) {
      let environments = signedFor.map { [$0] } ?? StripeEnvironment.all(livemode: event.livemode)
      try await InstallListStore(database: database).ask(environments)
    }
  }
}
