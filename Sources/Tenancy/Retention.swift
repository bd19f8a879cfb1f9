import Identity
package import Logging
import ServerKit
package import StripeAPI

/// Something that is kept only for a while.
package protocol RetentionRule: Sendable {
  /// What is removed, in the plural, for the log.
  var subject: String { get }

  /// The next tenant that may have something to remove, in the order of their ids.
  func tenant(after last: Tenant?) async throws -> Tenant?

  /// - Returns: how many were removed.
  func removeOld(of tenant: Tenant) async throws -> Int
}

/// Removes what has expired under its rules, tenant by tenant, in small steps that keep each transaction short.
package struct Retention: PeriodicService {
  package static let batch = 1_000

  package let rules: [any RetentionRule]
  package let interval: Duration
  package let logger: Logger

  package init(rules: [any RetentionRule], interval: Duration, logger: Logger) {
    self.rules = rules
    self.interval = interval
    self.logger = logger
  }

  package var name: String { "removing old rows" }

  package func work() async throws {
    for rule in rules where !Task.isCancelled { await apply(rule) }
  }

  /// A rule that fails does not stop the others.
  private func apply(_ rule: any RetentionRule) async {
    do {
      let removed = try await rule.prune()
      if removed > 0 {
        logger.info("removed old rows", metadata: ["of": "\(rule.subject)", "count": "\(removed)"])
      }
    } catch {
      logger.warning("removing old rows failed", metadata: ["of": "\(rule.subject)", "error": "\(error)"])
    }
  }
}

extension RetentionRule {
  /// Goes through all tenants.
  /// - Returns: how many were removed.
  package func prune() async throws -> Int {
    var removed = 0
    var last: Tenant?
    while !Task.isCancelled, let tenant = try await tenant(after: last) {
      removed += try await removeOld(of: tenant)
      last = tenant
    }
    return removed
  }

  /// Repeats a step until it removes less than a full batch.
  package func inBatches(_ step: () async throws -> Int) async throws -> Int {
    var removed = 0
    while true {
      let count = try await step()
      removed += count
      if count < Retention.batch { return removed }
    }
  }
}
