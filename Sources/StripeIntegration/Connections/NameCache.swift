import StripeAPI
import Synchronization

/// Names of products and policies, which every view needs and which rarely change. They are kept separately for each tenant,
/// since each has a LicenseKit of its own.
final class NameCache: Sendable {
  private struct Key: Hashable {
    let tenant: Tenant
    let id: String
  }

  private let entries = Mutex<[Key: (name: String, until: ContinuousClock.Instant)]>([:])
  private static let lifetime = Duration.seconds(60)
  private static let prunedAbove = 10_000

  /// A name, if it was fetched recently.
  func fresh(_ id: String, of tenant: Tenant) -> String? {
    entries.withLock { entries in
      guard let entry = entries[Key(tenant: tenant, id: id)], entry.until > .now else { return nil }
      return entry.name
    }
  }

  /// The last known name, however old.
  func last(_ id: String, of tenant: Tenant) -> String? {
    entries.withLock { $0[Key(tenant: tenant, id: id)]?.name }
  }

  func remember(_ name: String, _ id: String, of tenant: Tenant) {
    entries.withLock { entries in
      let now = ContinuousClock.now
      if entries.count > Self.prunedAbove {
        entries = entries.filter { $0.value.until > now }
        if entries.count > Self.prunedAbove { entries = [:] }
      }
      entries[Key(tenant: tenant, id: id)] = (name, now + Self.lifetime)
    }
  }
}
