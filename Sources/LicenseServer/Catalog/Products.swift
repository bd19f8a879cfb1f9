import Cryptography
import Foundation
import Identity
import JSON
import LicenseKitAPI
import Postgres
import ServerKit

/// Products.
struct Products: Sendable {
  let store: TenantStore
  let clock: ServerClock

  func list(_ range: ListRange<ProductTag>, for caller: Caller) async throws -> ListPage<Product> {
    try await store.transaction(caller.tenant, readOnly: true) { transaction in
      let read = try await transaction.query(
        """
        SELECT \(fragment: Self.columns)
          FROM license_server.products
         WHERE tenant_id = \(caller.tenant) AND id < \(range.below)
         ORDER BY id DESC
         LIMIT \(fragment: range.rowsRead)
        """
      ).all(Product.init(row:))
      return ListPage(read, of: range, by: \.id)
    }
  }

  func create(_ body: ProductCreateRequest, for caller: Caller) async throws -> Product {
    try Checks.required(body.name, "name")
    try Checks.required(body.code, "code")
    try Checks.code(body.code)
    try Checks.metadata(body.metadata)
    let now = clock.now()
    let product = Product(
      id: ProductID(Random.id(prefix: "prod_")), name: body.name, code: body.code, metadata: body.metadata ?? [:],
      createdAt: now, updatedAt: now)
    return try await store.transaction(caller.tenant) { transaction in
      try await conflicting(on: "products_code", "code: another product has it") {
        try await transaction.query(
          """
          INSERT INTO license_server.products
                 (tenant_id, id, name, code, metadata, created_at, updated_at)
          VALUES (\(caller.tenant), \(product.id), \(product.name), \(product.code),
                  \(product.metadata.stored)::json, \(now), \(now))
          """)
      }
      try await EventLog.append(.productCreated, product.id.rawValue, by: caller, at: now, in: transaction)
      return product
    }
  }

  func get(_ id: ProductID, for caller: Caller) async throws -> Product {
    try await store.transaction(caller.tenant, readOnly: true) { transaction in
      try await Self.find(id, for: caller, in: transaction)
    }
  }

  func update(_ id: ProductID, _ body: ProductUpdateRequest, for caller: Caller) async throws -> Product {
    try Checks.required(body.name, "name")
    try Checks.code(body.code)
    try Checks.metadata(body.metadata)
    let now = clock.now()
    return try await store.transaction(caller.tenant) { transaction in
      let rows = try await conflicting(on: "products_code", "code: another product has it") {
        try await transaction.query(
          """
          UPDATE license_server.products
             SET name       = coalesce(\(body.name), name),
                 code       = coalesce(\(body.code), code),
                 metadata   = coalesce(\(body.metadata?.stored)::json, metadata),
                 updated_at = \(now)
           WHERE tenant_id = \(caller.tenant) AND id = \(id)
          RETURNING \(fragment: Self.columns)
          """)
      }
      guard let row = rows.first else { throw APIFailure.notFound("product") }
      try await EventLog.append(.productUpdated, id.rawValue, by: caller, at: now, in: transaction)
      return try Product(row: row)
    }
  }

  func delete(_ id: ProductID, for caller: Caller) async throws {
    try await store.transaction(caller.tenant) { transaction in
      let rows = try await transaction.query(
        "DELETE FROM license_server.products WHERE tenant_id = \(caller.tenant) AND id = \(id)")
      guard rows.affectedRows == 1 else { throw APIFailure.notFound("product") }
      try await EventLog.append(.productDeleted, id.rawValue, by: caller, at: clock.now(), in: transaction)
    }
  }

  /// The product, or 404.
  @discardableResult
  static func find(_ id: ProductID, for caller: Caller, in transaction: PostgresTransaction) async throws -> Product {
    let rows = try await transaction.query(
      """
      SELECT \(fragment: columns)
        FROM license_server.products
       WHERE tenant_id = \(caller.tenant) AND id = \(id)
      """)
    guard let row = rows.first else { throw APIFailure.notFound("product") }
    return try Product(row: row)
  }

  static let columns: PostgresQuery = "id, name, code, metadata::text AS metadata, created_at, updated_at"
}

extension Product {
  init(row: PostgresRow) throws {
    self.init(
      id: try row.get("id"), name: try row.get("name"), code: try row.get("code"), metadata: try row.metadata(),
      createdAt: try row.get("created_at"), updatedAt: try row.get("updated_at"))
  }
}
