import Foundation
import Identity
import LicenseKitAPI
import Logging
import Postgres
import Purchases
import Redis
import StripeAPI
import Tenancy

/// Makes what exists at LicenseKit equal to what a purchase entitles to.
///
/// `Reconciliation` decides what is done and in which order; `ReconcilerRun` performs it. A run may stop between any two
/// actions: the next one continues from what was recorded.
package struct Reconciler: Sendable {
  let database: TenantDatabase
  let stripe: any StripeAccess
  let licenseKit: any LicenseKitAccess
  let vault: KeyVault
  let redis: RedisClient?
  let recent: RecentEvents
  /// Called after each step that was done.
  let listeners: [any StepListener]
  let clock: @Sendable () -> Date
  let logger: Logger
  var caution = Caution.none
  let policy = FailurePolicy()

  /// Reconciles one purchase, unless another worker has it.
  /// - Returns: the outage of Stripe or LicenseKit that stopped it, which concerns all purchases of the tenant.
  /// - Throws: only what concerns the whole tenant or the database; the failure of one purchase is recorded with it.
  @discardableResult
  func reconcile(_ purchase: PurchaseID, of tenant: Tenant) async throws -> Outage? {
    // The Redis lock saves a race in the database between replicas; only the lease in the row decides.
    var lock: RedisLock?
    if let redis {
      do {
        lock = try await redis.lock("lock:purchase:\(tenant):\(purchase)", for: .seconds(30))
        if lock == nil { return nil }
      } catch { lock = nil }
    }
    var outage: Outage?
    do {
      outage = try await run(purchase, of: tenant)
    } catch {
      _ = try? await lock?.release()
      throw error
    }
    _ = try? await lock?.release()
    return outage
  }

  /// - Throws: `TenantUnavailable`, and failures of the database.
  private func run(_ purchase: PurchaseID, of tenant: Tenant) async throws -> Outage? {
    guard var run = try await ReconcilerRun.begin(self, purchase, of: tenant) else { return nil }
    let result = try await run.work()
    var metadata: Logger.Metadata = ["tenant": "\(tenant)", "purchase": "\(purchase)"]
    switch result {
    case .done, .lost: return nil
    case .again(let reason):
      metadata["reason"] = "\(reason)"
      logger.info("purchase waits for another attempt", metadata: metadata)
    case .failed(let reason):
      metadata["reason"] = "\(reason)"
      logger.warning("purchase needs a person", metadata: metadata)
    case .outage(let outage):
      metadata["reason"] = "\(outage.detail)"
      logger.info("Stripe or LicenseKit is unavailable", metadata: metadata)
    case .blocked: break
    }
    await recent.invalidate(tenant)
    switch result {
    case .outage(let outage): return outage
    case .blocked(let unavailable): throw unavailable
    default: return nil
    }
  }
}
