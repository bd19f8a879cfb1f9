import Cryptography
import Foundation
import Identity
import LicenseKitAPI
import Logging
import Postgres
import Redis
import StripeAPI

/// Makes what exists at LicenseKit equal to what a purchase entitles to: loads the facts, decides, plans, and takes the
/// missing steps one by one.
///
/// First sale, duplicate, late event, replay, backfill, crash and changed mapping all run this one routine. It may be
/// stopped between any two lines: the next run goes on from what was recorded.
public struct Reconciler: Sendable {
  let database: TenantDatabase
  let stripe: any StripeAccess
  let licenseKit: any LicenseKitAccess
  let vault: KeyVault
  let redis: RedisClient?
  let recent: RecentEvents
  let clock: @Sendable () -> Date
  let logger: Logger
  let policy = FailurePolicy()

  /// How often Stripe is asked in one run before the purchase waits for its next turn.
  static let maximumRounds = 12

  /// Reconciles one purchase, unless somebody is at it.
  /// - Returns: the outage of Stripe or LicenseKit that stopped it, which concerns all purchases of the tenant.
  /// - Throws: only what concerns the whole tenant or the database; the failure of one purchase is recorded with it.
  @discardableResult
  func reconcile(_ purchase: PurchaseID, of tenant: Tenant) async throws -> Outage? {
    // The Redis lock spares the database a race between replicas; the lease in the row is what decides.
    var lock: RedisLock?
    if let redis {
      do {
        lock = try await redis.lock("lock:purchase:\(tenant):\(purchase)", for: .seconds(30))
        if lock == nil { return nil }
      } catch { lock = nil }
    }
    var outage: Outage?
    do {
      if let lease = try await PurchaseLease.take(purchase, of: tenant, in: database) {
        outage = try await run(lease)
      }
    } catch {
      _ = try? await lock?.release()
      throw error
    }
    _ = try? await lock?.release()
    return outage
  }
}
