import Hummingbird
import LicenseKitAPI
import ServerKit

/// The system API: the list of its routes. They need no credential, so they reveal nothing about a tenant except the public
/// keys, which belong to the requested host name.
struct SystemRoutes: Sendable {
  let services: Services
  let checks: [ReadinessCheck]
  let metrics: MetricsRegistry?

  func add(to router: AppRouter) {
    router.get("/health") { _, context in try Answer.data(HealthData(status: "ok"), context: context) }
    router.addHealthRoutes(checks)
    if let metrics { router.addMetricsRoute(metrics) }
    router.cors(CORSPolicy(.all, allowedMethods: [.get, .head]), under: "/api/v1/system/public-keys")
    router.get("/api/v1/system/public-keys") { [services] request, context in
      try Answer.data(await services.publicKeys(host: request.hostName), context: context)
    }
  }
}

extension Services {
  /// The keys of the tenant that a host name belongs to, or of the default tenant.
  func publicKeys(host: String?) async throws -> [PublicKey] {
    try await publicKeys(of: authenticator.tenant(host: host))
  }

  /// The keys of a tenant.
  func publicKeys(of tenant: TenantID) async throws -> [PublicKey] {
    try await store.transaction(tenant, readOnly: true) { transaction in
      try await SigningKeys.list(for: tenant, in: transaction)
    }
  }
}
