import Cryptography
import Foundation
import Identity
import JSON
import LicenseKitAPI
import Postgres
import ServerKit

/// Versions of a product. The first one switches version gating on for its licenses.
struct ProductVersions: Sendable {
  let store: TenantStore
  let clock: ServerClock

  /// Newest first. An unknown product has none.
  func list(_ product: ProductID, _ range: ListRange<ProductVersionTag>, for caller: Caller) async throws -> ListPage<
    ProductVersion
  > {
    try await store.transaction(caller.tenant, readOnly: true) { transaction in
      let read = try await transaction.query(
        """
        SELECT id, product_id, version, released_at, metadata::text AS metadata, created_at, updated_at
          FROM license_server.product_versions
         WHERE tenant_id = \(caller.tenant) AND product_id = \(product) AND id < \(range.below)
         ORDER BY id DESC
         LIMIT \(fragment: range.rowsRead)
        """
      ).all(ProductVersion.init(row:))
      return ListPage(read, of: range, by: \.id)
    }
  }

  func create(_ product: ProductID, _ body: ProductVersionCreateRequest, for caller: Caller) async throws
    -> ProductVersion
  {
    try Checks.version(body.version, "version")
    try Checks.metadata(body.metadata)
    let now = clock.now()
    let version = ProductVersion(
      id: ProductVersionID(Random.id(prefix: "ver_")), productID: product, version: body.version,
      releasedAt: body.releasedAt?.wholeSeconds ?? now, metadata: body.metadata ?? [:], createdAt: now, updatedAt: now)
    return try await store.transaction(caller.tenant) { transaction in
      try await Products.find(product, for: caller, in: transaction)
      try await conflicting(on: "product_versions_version", "version: the product has it already") {
        try await transaction.query(
          """
          INSERT INTO license_server.product_versions
                 (tenant_id, id, product_id, version, released_at, metadata, created_at, updated_at)
          VALUES (\(caller.tenant), \(version.id), \(product), \(version.version), \(version.releasedAt),
                  \(version.metadata.stored)::json, \(now), \(now))
          """)
      }
      try await EventLog.append(
        .productVersionCreated, version.id.rawValue, by: caller, at: now,
        metadata: ["product_id": .string(product.rawValue), "version": .string(version.version)], in: transaction)
      return version
    }
  }
}

extension ProductVersion {
  init(row: PostgresRow) throws {
    self.init(
      id: try row.get("id"), productID: try row.get("product_id"), version: try row.get("version"),
      releasedAt: try row.get("released_at"), metadata: try row.metadata(), createdAt: try row.get("created_at"),
      updatedAt: try row.get("updated_at"))
  }
}
