import Foundation
import LicenseKitAPI
import Logging
import Redis
import ServerKit

/// The routes that the Dashboard app calls from the merchant's browser.
struct AppViews: Sendable {
  init(
    configuration: IntegrationConfiguration, database: TenantDatabase, licenseKit: any LicenseKitAccess,
    redis: RedisClient?, clock: @escaping @Sendable () -> Date, logger: Logger
  ) {}

  func addRoutes(to router: AppRouter) {}
}
