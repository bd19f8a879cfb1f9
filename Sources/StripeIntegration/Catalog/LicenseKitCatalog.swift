import Identity
import LicenseKitAPI
import ServerKit
import Tenancy

/// What a tenant's LicenseKit offers.
struct LicenseKitCatalog {
  struct Entry: Encodable, Sendable {
    let id: ProductID
    let name: String
    let code: String
    let policies: [PolicyEntry]
    let features: [FeatureEntry]
  }

  struct PolicyEntry: Encodable, Sendable {
    let id: PolicyID
    let name: String
    let code: String
    let licenseType: LicenseType
    let maxActivations: Int
  }

  struct FeatureEntry: Encodable, Sendable {
    let id: FeatureID
    let name: String
    let code: String
  }

  let client: any LicenseKitClient

  /// The contract's lists have no cursor and return at most this many.
  static let longestList = 200
  static let concurrency = 4

  /// Products in the order of their ids.
  func page(after id: String?, limit: Int) async throws -> (items: [Entry], next: String?) {
    let products = try await client.listProducts(limit: Self.longestList)
      .filter { product in id.map { product.id.rawValue > $0 } ?? true }
      .sorted { $0.id < $1.id }
    let page = Array(products.prefix(limit + 1)).page(limit) { $0.id.rawValue }
    return (try await page.items.concurrently(Self.concurrency) { try await self.entry($0) }, page.next)
  }

  private func entry(_ product: Product) async throws -> Entry {
    let policies = try await client.listPoliciesByProduct(product.id, limit: Self.longestList)
    let features = try await client.listFeaturesByProduct(product.id, limit: Self.longestList)
    return Entry(
      id: product.id, name: product.name, code: product.code,
      policies: policies.map {
        PolicyEntry(
          id: $0.id, name: $0.name, code: $0.code, licenseType: $0.licenseType, maxActivations: $0.maxActivations)
      },
      features: features.map { FeatureEntry(id: $0.id, name: $0.name, code: $0.code) })
  }
}
