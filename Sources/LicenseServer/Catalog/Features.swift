import Cryptography
import Foundation
import Identity
import JSON
import LicenseKitAPI
import Postgres
import ServerKit

/// Features of a product.
struct Features: Sendable {
  let store: TenantStore
  let clock: ServerClock

  /// An unknown product has none.
  func list(_ product: ProductID, _ range: ListRange<FeatureTag>, for caller: Caller) async throws -> ListPage<Feature>
  {
    try await store.transaction(caller.tenant, readOnly: true) { transaction in
      let read = try await transaction.query(
        """
        SELECT id, product_id, code, name, metadata::text AS metadata, created_at
          FROM license_server.features
         WHERE tenant_id = \(caller.tenant) AND product_id = \(product) AND id < \(range.below)
         ORDER BY id DESC
         LIMIT \(fragment: range.rowsRead)
        """
      ).all(Feature.init(row:))
      return ListPage(read, of: range, by: \.id)
    }
  }

  /// The code will be signed later, so only codes that every verifier reads in the same way are accepted.
  func create(_ product: ProductID, _ body: FeatureCreateRequest, for caller: Caller) async throws -> Feature {
    try Checks.required(body.name, "name")
    try Checks.featureCode(body.code)
    try Checks.metadata(body.metadata)
    let now = clock.now()
    let feature = Feature(
      id: FeatureID(Random.id(prefix: "feat_")), productID: product, code: body.code, name: body.name,
      metadata: body.metadata ?? [:], createdAt: now)
    return try await store.transaction(caller.tenant) { transaction in
      try await Products.find(product, for: caller, in: transaction)
      try await conflicting(on: "features_code", "code: another feature of the product has it") {
        try await transaction.query(
          """
          INSERT INTO license_server.features
                 (tenant_id, id, product_id, code, name, metadata, created_at)
          VALUES (\(caller.tenant), \(feature.id), \(product), \(feature.code), \(feature.name),
                  \(feature.metadata.stored)::json, \(now))
          """)
      }
      try await EventLog.append(
        .featureCreated, feature.id.rawValue, by: caller, at: now,
        metadata: ["product_id": .string(product.rawValue), "code": .string(feature.code)], in: transaction)
      return feature
    }
  }

  func get(_ id: FeatureID, for caller: Caller) async throws -> Feature {
    try await store.transaction(caller.tenant, readOnly: true) { transaction in
      try await Self.find(id, for: caller, in: transaction)
    }
  }

  /// The feature, or 404.
  static func find(_ id: FeatureID, for caller: Caller, in transaction: PostgresTransaction) async throws -> Feature {
    let rows = try await transaction.query(
      """
      SELECT id, product_id, code, name, metadata::text AS metadata, created_at
        FROM license_server.features
       WHERE tenant_id = \(caller.tenant) AND id = \(id)
      """)
    guard let row = rows.first else { throw APIFailure.notFound("feature") }
    return try Feature(row: row)
  }
}

extension Feature {
  init(row: PostgresRow) throws {
    self.init(
      id: try row.get("id"), productID: try row.get("product_id"), code: try row.get("code"), name: try row.get("name"),
      metadata: try row.metadata(), createdAt: try row.get("created_at"))
  }
}
