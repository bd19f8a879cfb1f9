import Foundation
import LicenseKitAPI
import Logging
import Redis
import ServerKit

/// The routes for vendors and for the operator.
struct AdminRoutes: Sendable {
  init(
    configuration: IntegrationConfiguration, database: TenantDatabase, stripe: any StripeAccess,
    licenseKit: any LicenseKitAccess, vault: KeyVault, connections: ConnectionStore, wakeUp: WakeUp,
    redis: RedisClient? = nil, clock: @escaping @Sendable () -> Date, logger: Logger
  ) {}

  func addRoutes(to router: AppRouter) {}
}
