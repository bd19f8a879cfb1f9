import ServerKit

/// How much background work a replica does at the same time, and how often it looks for more.
package struct BackgroundWork: Hashable, Sendable {
  /// Tenants whose purchases are worked on at the same time. Tenants whose servers are slow come in addition to these.
  var tenants = 8
  /// Purchases of one tenant that are worked on at the same time: a tenant's Stripe account serves its own shop first.
  var purchasesPerTenant = 4
  /// Tenants whose jobs are worked on at the same time.
  var jobs = 4
  /// Endpoints that messages are brought to at the same time.
  var endpoints = 32
  /// Messages to one endpoint that are under way at the same time.
  var messagesPerEndpoint = 4
  /// How long work that another replica enqueued may wait until this one looks for it. A replica's own work is not waited for.
  var pollInterval: Duration = .seconds(1)
  /// Between two looks for drift at one tenant's LicenseKit.
  var driftInterval: Duration = .seconds(300)
  /// Between two runs of everything that removes what is kept only for a while.
  var pruneInterval: Duration = .seconds(3_600)
  /// Between two looks at the figures that metrics show of the queues.
  var metricsInterval: Duration = .seconds(15)

  package init() {}

  /// Reads the part of it that an operator can set.
  static func read(from environment: inout EnvironmentReader) -> BackgroundWork {
    var work = BackgroundWork()
    work.tenants = environment.int("STRIPE_WORKER_TENANTS", in: 1...64, default: work.tenants)
    work.purchasesPerTenant = environment.int("STRIPE_WORKER_PURCHASES", in: 1...20, default: work.purchasesPerTenant)
    work.jobs = environment.int("STRIPE_WORKER_JOBS", in: 1...32, default: work.jobs)
    work.endpoints = environment.int("STRIPE_WORKER_ENDPOINTS", in: 1...256, default: work.endpoints)
    work.pollInterval = .milliseconds(environment.int("STRIPE_POLL_MILLISECONDS", in: 100...60_000, default: 1_000))
    work.driftInterval = .seconds(60 * environment.int("STRIPE_DRIFT_MINUTES", in: 1...1_440, default: 5))
    return work
  }

  static let variables: Set<String> = [
    "STRIPE_WORKER_TENANTS", "STRIPE_WORKER_PURCHASES", "STRIPE_WORKER_JOBS", "STRIPE_WORKER_ENDPOINTS",
    "STRIPE_POLL_MILLISECONDS", "STRIPE_DRIFT_MINUTES",
  ]
}
