import Foundation
import Identity
import Logging
import Postgres
import Purchases
import Queue
import ServerKit
import ServiceLifecycle
import StripeAPI

/// The background work of one replica: routes events and reconciles purchases until it is stopped.
///
/// Any number of replicas run it at the same time. No replica holds anything that another could miss: the database holds what
/// is to be done, and a wake-up only shortens the wait for the next look.
package struct Workers: Service {
  let router: EventRouter
  let queue: PurchaseQueue
  let breaker: CircuitBreaker
  let thinEvents: ThinEvents
  let reconciler: Reconciler
  let blocking: any TenantBlocking
  let wakeUp: WakeUp
  /// How many purchases of one tenant are worked on at the same time: a tenant's Stripe account serves its own shop first.
  let concurrencyPerTenant: Int
  /// How many tenants the workers serve at the same time. Tenants whose servers are slow continue in addition to these.
  let concurrency: Int
  var slow = SlowClaims()
  let pollInterval: Duration
  let logger: Logger

  package func run() async throws {
    await cancelWhenGracefulShutdown {
      await withTaskGroup(of: Void.self) { group in
        group.addTask { await self.routeContinuously() }
        for number in 0..<concurrency {
          group.addTask { await self.serveContinuously(number) }
        }
      }
    }
  }

  /// Repeats a piece of work while there is some, and otherwise waits for a wake-up. After a failure (for example of the
  /// database) it waits and tries again.
  private func loop(_ name: String, _ work: () async throws -> Bool) async {
    await WorkLoop(name: name, wakeUp: wakeUp, pollInterval: pollInterval, logger: logger).run(work)
  }

  private static func describe(_ error: any Error) -> String {
    (error as? PostgresError).map { "\($0)" } ?? "\(type(of: error)): \(error)"
  }

  /// Routes until nothing is waiting. The tenants take turns, with a batch each.
  private func routeContinuously() async {
    var rounds = FairRounds<Tenant>()
    await loop("router") { try await routeRound(&rounds) }
  }

  /// One round over the tenants with work. If the events of a tenant fail, that tenant is left out for a while, so that it
  /// does not delay the others.
  private func routeRound(_ rounds: inout FairRounds<Tenant>) async throws -> Bool {
    let tenants = try await router.tenantsWithWork(after: rounds.last)
    rounds.advance(past: tenants, isFull: tenants.count >= EventRouter.tenantsPerRound)
    var routed = 0
    for tenant in tenants where !rounds.isLeftOut(tenant) {
      do {
        routed += try await router.routeBatch(of: tenant)
        rounds.succeeded(tenant)
      } catch let error as PostgresError where error.concernsConnection {
        throw error
      } catch is CancellationError {
        throw CancellationError()
      } catch {
        rounds.failed(tenant)
        logger.error(
          "events could not be routed", metadata: ["tenant": "\(tenant)", "error": "\(Self.describe(error))"])
      }
      if Task.isCancelled { break }
    }
    if routed > 0 { wakeUp.signal() }
    return rounds.goesOn(afterDoing: routed)
  }

  private func serveContinuously(_ number: Int) async {
    await withDiscardingTaskGroup { group in
      await loop("reconciler \(number)") {
        guard let tenant = try await queue.tenants.claim() else { return false }
        let claim = ClaimUnderWay(slow)
        group.addTask { await self.seeThrough(tenant, claim) }
        try await claim.wait()
        return true
      }
    }
  }

  private func seeThrough(_ tenant: Tenant, _ claim: ClaimUnderWay) async {
    do {
      try await ClaimProgress.$note.withValue(claim.progressed) { try await serveClaim(of: tenant) }
      _ = claim.end(nil)
    } catch {
      if !claim.end(error), !Task.isCancelled {
        logger.error("queue claim failed", metadata: ["tenant": "\(tenant)", "error": "\(Self.describe(error))"])
      }
    }
  }

  /// Serves the tenant that has waited longest, until the end of its claim.
  /// - Returns: whether a tenant was waiting.
  func serveNextTenant() async throws -> Bool {
    guard let tenant = try await queue.tenants.claim() else { return false }
    try await serveClaim(of: tenant)
    return true
  }

  private func serveClaim(of tenant: Tenant) async throws {
    do {
      try await holding(tenant) { try await serve(tenant) }
    } catch {
      try await queue.release(tenant)
      throw error
    }
    try await queue.release(tenant)
  }

  /// Extends the claim during the work, for a minute at most: a single purchase may take longer, and its vendor's other
  /// buyers do not wait for it. A failed extension is not reported, because the work meets the same database.
  private func holding(_ tenant: Tenant, _ work: () async throws -> Void) async throws {
    try await withThrowingDiscardingTaskGroup { group in
      group.addTask {
        for _ in 0..<PurchaseQueue.mostExtensions {
          guard (try? await Task.sleep(for: queue.tenants.kind.claim / 4)) != nil else { return }
          try? await queue.tenants.extend(tenant)
        }
      }
      defer { group.cancelAll() }
      try await work()
    }
  }

  /// How one purchase of a claim ended.
  private enum Ended: Sendable {
    case went(Outage?)
    case blocked(TenantUnavailable)
  }

  private func reconcile(_ purchase: PurchaseID, of tenant: Tenant) async throws -> Ended {
    do {
      return .went(try await reconciler.reconcile(purchase, of: tenant))
    } catch let unavailable as TenantUnavailable {
      return .blocked(unavailable)
    }
  }

  private func serve(_ tenant: Tenant) async throws {
    let work = try await queue.work(of: tenant)
    // Thin events come first, since they may contain a sale that is not known here yet.
    if work.hasThinEvents, try await !fetch(of: tenant) { return }
    var outage: Outage?
    var isBlocked = false
    try await BoundedWork.run(through: work.purchases, width: concurrencyPerTenant) { purchase in
      try await reconcile(purchase, of: tenant)
    } goesOn: { ended in
      switch ended {
      case .went(let found): outage = outage ?? found
      case .blocked(let unavailable):
        if !isBlocked { try await block(tenant, unavailable) }
        isBlocked = true
      }
      return outage == nil && !isBlocked
    }
    if isBlocked { return }
    if let outage {
      try await openBreaker(of: tenant, for: outage)
    } else if work.isHalfOpen, !work.purchases.isEmpty {
      try await breaker.close(tenant)
    }
  }

  /// Asks for the objects of thin events.
  /// - Returns: whether the tenant's purchases can be served.
  private func fetch(of tenant: Tenant) async throws -> Bool {
    do {
      let served = try await thinEvents.serve(tenant)
      if let outage = served.outage {
        try await openBreaker(of: tenant, for: outage)
        return false
      }
      if served.completed > 0 { try await breaker.close(tenant) }
      return true
    } catch let unavailable as TenantUnavailable {
      try await block(tenant, unavailable)
      return false
    }
  }

  private func openBreaker(of tenant: Tenant, for outage: Outage) async throws {
    logger.warning("circuit breaker is open", metadata: ["tenant": "\(tenant)", "reason": "\(outage)"])
    try await breaker.open(tenant, for: outage)
  }

  private func block(_ tenant: Tenant, _ unavailable: TenantUnavailable) async throws {
    logger.warning("tenant is blocked", metadata: ["tenant": "\(tenant)", "reason": "\(unavailable.reason.rawValue)"])
    try await blocking.block(tenant, unavailable)
  }
}
