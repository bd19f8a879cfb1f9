import Foundation
import Identity
import JSON
import ServerKit
import StripeAPI
import StripeHTTP

/// The vendor's Stripe products with their prices, read a page at a time.
struct StripeCatalog {
  struct Entry: Sendable {
    let product: Stripe.Product
    let prices: [Stripe.Price]
    /// False if the product has more prices than are shown.
    let isComplete: Bool
  }

  let calls: StripeCalls

  /// How many products' prices are asked for at the same time.
  static let concurrency = 4
  static let pricesPerProduct = 100

  func page(after cursor: String?, limit: Int) async throws -> (entries: [Entry], next: String?) {
    let page = try await calls.run { try await $0.products(cursor: cursor, limit: limit) }
    let products = try page.items.map { try Stripe.Product($0) }
    guard !products.isEmpty else { return ([], nil) }
    // A small vendor's prices all come in one call. Only if there are more, each product is asked for.
    let first = try await calls.run { try await $0.prices(limit: 100) }
    let entries: [Entry]
    if first.nextCursor == nil {
      let prices = Dictionary(grouping: try first.items.map { try Stripe.Price($0) }, by: \.product)
      entries = products.map { Entry(product: $0, prices: prices[$0.id] ?? [], isComplete: true) }
    } else {
      entries = try await products.concurrently(Self.concurrency) { try await self.entry($0) }
    }
    return (entries, page.nextCursor)
  }

  private func entry(_ product: Stripe.Product) async throws -> Entry {
    let page = try await calls.run { try await $0.prices(product: product.id, limit: Self.pricesPerProduct) }
    return Entry(
      product: product, prices: try page.items.map { try Stripe.Price($0) }, isComplete: page.nextCursor == nil)
  }
}
