import Postgres
import Purchases
import StripeAPI
import Tenancy

/// Takes in events that name no account: the developer's own. Two kinds of them tell of what concerns tenants; nothing of
/// them is kept.
struct DeveloperEvents: Sendable {
  let database: TenantDatabase
  let alerts: any AlertHandling

  /// - Parameter signedFor: the only environment that the signature vouches for; nil for every one of its mode.
  func take(_ event: EventEnvelope, signedFor: StripeEnvironment?) async throws {
    if EventTable.isHealthAlert(event.type) {
      try await alerts.raised(livemode: event.livemode)
    } else if EventTable.tellsOfInstall(event.type) {
      let environments = signedFor.map { [$0] } ?? StripeEnvironment.all(livemode: event.livemode)
      try await InstallListStore(database: database).ask(environments)
    }
  }
}
