import ServerKit
import StripeAPI

/// Names of products and policies, which every view needs and which rarely change. They are kept separately for each tenant,
/// since each has a LicenseKit of its own.
final class NameCache: Sendable {
  private struct Key: Hashable {
    let tenant: Tenant
    let id: String
  }

  private let names = ExpiringCache<Key, String>(capacity: 10_000)

  /// A name, if it was fetched recently.
  func fresh(_ id: String, of tenant: Tenant) -> String? { names[Key(tenant: tenant, id: id)] }

  /// The last known name, however old.
  func last(_ id: String, of tenant: Tenant) -> String? { names.last(Key(tenant: tenant, id: id)) }

  func remember(_ name: String, _ id: String, of tenant: Tenant) {
    names.insert(name, for: Key(tenant: tenant, id: id), lasting: .seconds(60))
  }
}
