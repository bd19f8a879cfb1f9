import Foundation
import Identity
import LicenseKitAPI
import Postgres
import Purchases
import StripeAPI
import Tenancy

/// The mappings of one tenant, within a transaction of that tenant.
struct MappingStore {
  let tenant: Tenant
  let transaction: PostgresTransaction

  /// The mappings of any of these products and prices.
  func mappings(products: [String], prices: [String]) async throws -> [Mapping] {
    guard !products.isEmpty || !prices.isEmpty else { return [] }
    return try await transaction.query(
      """
      SELECT mapping_id, stripe_product_id, stripe_price_id, terms::text AS terms
        FROM stripe_integration.mappings
       WHERE account_id        = \(tenant.account)
         AND livemode          = \(tenant.livemode)
         AND stripe_product_id = ANY(\(products))
       UNION ALL
      SELECT mapping_id, stripe_product_id, stripe_price_id, terms::text AS terms
        FROM stripe_integration.mappings
       WHERE account_id      = \(tenant.account)
         AND livemode        = \(tenant.livemode)
         AND stripe_price_id = ANY(\(prices))
      """
    ).compactMap(Self.mapping(from:))
  }

  static func mapping(from row: PostgresRow) throws -> Mapping? {
    let reference: Mapping.Reference
    if let price = try row.get("stripe_price_id", as: Stripe.PriceID?.self) {
      reference = .price(price)
    } else if let product = try row.get("stripe_product_id", as: Stripe.ProductID?.self) {
      reference = .product(product)
    } else {
      return nil
    }
    return Mapping(
      id: try row.get("mapping_id"), reference: reference, terms: try StoredJSON.value(from: row.get("terms")))
  }
}

extension Knowledge {
  /// The products and prices of everything that was sold, by their Stripe ids.
  var soldReferences: (products: [String], prices: [String]) {
    var products: Set<String> = []
    var prices: Set<String> = []
    for snapshot in snapshots {
      switch snapshot {
      case .lineItems(_, let lines):
        products.formUnion(lines.map(\.product.rawValue))
        prices.formUnion(lines.map(\.price.rawValue))
      case .subscription(let subscription):
        products.formUnion(subscription.items.map(\.product.rawValue))
        prices.formUnion(subscription.items.map(\.price.rawValue))
      case .invoice(let invoice):
        products.formUnion(invoice.lines.compactMap(\.product?.rawValue))
        prices.formUnion(invoice.lines.compactMap(\.price?.rawValue))
      case .paymentIntent(let payment):
        products.formUnion([payment.sale?.product?.rawValue].compactMap { $0 })
        prices.formUnion([payment.sale?.price?.rawValue].compactMap { $0 })
      case .price(let price): products.formUnion([price.product?.rawValue].compactMap { $0 })
      default: break
      }
    }
    return (products.sorted(), prices.sorted())
  }
}
