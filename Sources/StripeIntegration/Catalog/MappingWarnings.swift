import Foundation
import Identity
import Postgres
import Purchases
import StripeAPI
import Tenancy

/// What Stripe has said about the products and prices of mappings. A mapping of something that can no longer be sold is
/// broken and shows a warning. What was issued under it stays.
struct MappingWarnings {
  private var sentences: [String: String] = [:]

  init(
    about mappings: [StoredMapping], of tenant: Tenant, in transaction: PostgresTransaction
  ) async throws {
    let ids = Set(mappings.map(\.mapping.reference.stripeID))
    guard !ids.isEmpty else { return }
    let facts = try await transaction.query(
      """
      SELECT fact_key, snapshot::text AS snapshot
        FROM stripe_integration.facts
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
         AND fact_key   = ANY(\(ids.sorted()))
      """)
    for row in facts {
      let snapshot = try StoredJSON.value(Snapshot.self, from: try row.get("snapshot"))
      sentences[try row.get("fact_key")] = Self.sentence(on: snapshot)
    }
  }

  subscript(_ mapping: StoredMapping) -> String? { sentences[mapping.mapping.reference.stripeID] }

  /// Nil while all is well.
  static func sentence(on snapshot: Snapshot) -> String? {
    switch snapshot {
    case .product(let product) where product.isDeleted:
      "The Stripe product was deleted: it is no longer sold. Existing licenses stay."
    case .product(let product) where !product.isActive:
      "The Stripe product is archived: it has no new sales. Existing licenses stay and are renewed."
    case .price(let price) where price.isDeleted:
      "The Stripe price was deleted: nothing is sold at it any longer. Existing licenses stay."
    case .price(let price) where !price.isActive:
      "The Stripe price is archived: it has no new sales. Existing licenses stay and are renewed."
    default: nil
    }
  }
}
