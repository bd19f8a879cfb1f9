import Foundation
import Hummingbird
import Identity
import JSON
import LicenseKitAPI
import Purchases
import ServerKit
import StripeAPI
import Tenancy

extension AdminRoutes {
  /// What the vendor sells at Stripe: each product and price, with what it gives.
  func stripeCatalog(_ call: AdminCall) async throws -> Response {
    let request = try PageRequest(call.query)
    let cursor = try request.text()
    let page = try await OutsideFailure.translating {
      try await StripeCatalog(calls: StripeCalls(stripe: stripe, tenant: call.tenant))
        .page(after: cursor, limit: request.limit)
    }
    let mappings = try await database.transaction(for: call.tenant) { transaction in
      try await MappingStore(tenant: call.tenant, transaction: transaction).mappings(
        products: page.entries.map(\.product.id.rawValue),
        prices: page.entries.flatMap(\.prices).map(\.id.rawValue))
    }
    return try Answer.page(
      page.entries.map { StripeProductView($0, mappings) }, nextCursor: page.next.map(PageCursor.encode),
      context: call.context)
  }

  /// What can be given at LicenseKit: products with their policies and features.
  func licenseKitCatalog(_ call: AdminCall) async throws -> Response {
    let request = try PageRequest(call.query)
    let after = try request.text()
    let page = try await OutsideFailure.translating {
      try await LicenseKitCatalog(client: try await licenseKit.client(for: call.tenant))
        .page(after: after, limit: request.limit)
    }
    return try Answer.page(page.items, nextCursor: page.next.map(PageCursor.encode), context: call.context)
  }
}

/// Whether a product or price gives anything, and by what.
struct MappingState: Encodable, Sendable {
  enum Kind: String, Encodable, Sendable {
    case byPrice = "mapped_by_price"
    case byProduct = "mapped_by_product"
    case unmapped
  }

  let state: Kind
  let mappingIds: [String]

  init(price: Stripe.PriceID?, product: Stripe.ProductID?, among mappings: [Mapping]) {
    let applying = Mapping.applying(to: price, product: product, among: mappings)
    mappingIds = applying.map(\.id)
    switch applying.first?.reference {
    case .price: state = .byPrice
    case .product: state = .byProduct
    case nil: state = .unmapped
    }
  }
}

/// A Stripe product as the catalogue shows it.
struct StripeProductView: Encodable, Sendable {
  let id: Stripe.ProductID
  @OrNull var name: String?
  let active: Bool
  let mapping: MappingState
  let prices: [Price]
  /// False if the product has more prices than these.
  let pricesComplete: Bool

  struct Price: Encodable, Sendable {
    let id: Stripe.PriceID
    @OrNull var nickname: String?
    @OrNull var currency: String?
    /// In the smallest unit of the currency; null if the amount depends on the quantity.
    @OrNull var unitAmount: Int64?
    let recurring: Bool
    @OrNull var interval: String?
    @OrNull var intervalCount: Int64?
    let active: Bool
    let mapping: MappingState
  }

  init(_ entry: StripeCatalog.Entry, _ mappings: [Mapping]) {
    let product = entry.product
    id = product.id
    name = product.name
    active = product.isActive
    mapping = MappingState(price: nil, product: product.id, among: mappings)
    pricesComplete = entry.isComplete
    prices = entry.prices.map { price in
      Price(
        id: price.id, nickname: price.nickname, currency: price.currency, unitAmount: price.unitAmount,
        recurring: price.isRecurring, interval: price.interval, intervalCount: price.intervalCount,
        active: price.isActive, mapping: MappingState(price: price.id, product: product.id, among: mappings))
    }
  }
}
