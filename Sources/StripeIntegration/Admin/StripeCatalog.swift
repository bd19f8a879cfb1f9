import Foundation
import Identity
import JSON
import ServerKit
import StripeAPI

/// The vendor's Stripe products with their prices, read a page at a time.
struct StripeCatalog {
  struct Entry: Sendable {
    let product: Stripe.Product
    let prices: [Stripe.Price]
    /// False when the product has more prices than are shown.
    let isComplete: Bool
  }

  let calls: StripeCalls

  /// Products whose prices are asked for at the same time.
  static let concurrency = 4
  static let pricesPerProduct = 100

  func page(after cursor: String?, limit: Int) async throws -> (entries: [Entry], next: String?) {
    let page = try await calls.run { try await $0.products(cursor: cursor, limit: limit) }
    let products = try page.items.map { try Stripe.Product($0) }
    guard !products.isEmpty else { return ([], nil) }
    // A small vendor's prices all come in one call; only where there are more is each product asked for.
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

/// Calls to Stripe for a tenant; a credential that is refused is replaced once.
struct StripeCalls: Sendable {
  let stripe: any StripeAccess
  let tenant: Tenant

  func run<T: Sendable>(_ body: (StripeSession) async throws -> T) async throws -> T {
    let session = try await stripe.session(for: tenant, replacing: nil)
    do {
      return try await body(session)
    } catch let error as StripeError where error.retry == .credential || error.retry == .accountGone {
      return try await body(try await stripe.session(for: tenant, replacing: session))
    }
  }
}

extension Array where Element: Sendable {
  /// The results in the order of the elements, with a few under way at a time. The first failure ends all.
  func concurrently<T: Sendable>(
    _ width: Int, _ transform: @escaping @Sendable (Element) async throws -> T
  ) async throws -> [T] {
    try await withThrowingTaskGroup(of: (Int, T).self) { group in
      var results: [T?] = [T?](repeating: nil, count: count)
      var waiting = Swift.Array(enumerated()).makeIterator()
      for _ in 0..<width {
        guard let (index, element) = waiting.next() else { break }
        group.addTask { (index, try await transform(element)) }
      }
      while let (index, result) = try await group.next() {
        results[index] = result
        if let (index, element) = waiting.next() { group.addTask { (index, try await transform(element)) } }
      }
      return results.compactMap { $0 }
    }
  }
}
