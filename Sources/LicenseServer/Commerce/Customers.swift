import Cryptography
import Foundation
import Identity
import JSON
import LicenseKitAPI
import Postgres
import ServerKit

/// Customers. The code is their key; several may share an address.
struct Customers: Sendable {
  let store: TenantStore
  let clock: ServerClock

  func list(_ range: ListRange<CustomerTag>, for caller: Caller) async throws -> ListPage<Customer> {
    try await store.transaction(caller.tenant, readOnly: true) { transaction in
      let read = try await transaction.query(
        """
        SELECT \(fragment: Self.columns)
          FROM license_server.customers
         WHERE tenant_id = \(caller.tenant) AND id < \(range.below)
         ORDER BY id DESC
         LIMIT \(fragment: range.rowsRead)
        """
      ).all(Customer.init(row:))
      return ListPage(read, of: range, by: \.id)
    }
  }

  func create(_ body: CustomerCreateRequest, for caller: Caller) async throws -> Customer {
    try Checks.required(body.name, "name", maximum: 2_048)
    try Checks.code(body.code)
    try Checks.length(body.email, "email", maximum: 1_024)
    try Checks.metadata(body.metadata)
    let now = clock.now()
    let customer = Customer(
      id: CustomerID(Random.id(prefix: "cust_")), name: body.name, code: body.code,
      email: BlankText.said(body.email), metadata: body.metadata ?? [:], createdAt: now,
      updatedAt: now)
    return try await store.transaction(caller.tenant) { transaction in
      try await conflicting(on: "customers_code", "code: another customer has it") {
        try await transaction.query(
          """
          INSERT INTO license_server.customers
                 (tenant_id, id, name, code, email, metadata, created_at, updated_at)
          VALUES (\(caller.tenant), \(customer.id), \(customer.name), \(customer.code), \(customer.email),
                  \(customer.metadata.stored)::json, \(now), \(now))
          """)
      }
      try await EventLog.append(.customerCreated, customer.id.rawValue, by: caller, at: now, in: transaction)
      return customer
    }
  }

  func get(_ id: CustomerID, for caller: Caller) async throws -> Customer {
    try await store.transaction(caller.tenant, readOnly: true) { transaction in
      let rows = try await transaction.query(
        """
        SELECT \(fragment: Self.columns)
          FROM license_server.customers
         WHERE tenant_id = \(caller.tenant) AND id = \(id)
        """)
      guard let row = rows.first else { throw APIFailure.notFound("customer") }
      return try Customer(row: row)
    }
  }

  func update(_ id: CustomerID, _ body: CustomerUpdateRequest, for caller: Caller) async throws -> Customer {
    try Checks.required(body.name, "name", maximum: 2_048)
    try Checks.code(body.code)
    try Checks.length(body.email, "email", maximum: 1_024)
    try Checks.metadata(body.metadata)
    let now = clock.now()
    return try await store.transaction(caller.tenant) { transaction in
      let rows = try await conflicting(on: "customers_code", "code: another customer has it") {
        try await transaction.query(
          """
          UPDATE license_server.customers
             SET name       = coalesce(\(body.name), name),
                 code       = coalesce(\(body.code), code),
                 email      = nullif(coalesce(\(body.email.map(BlankText.trimmed)), email), ''),
                 metadata   = coalesce(\(body.metadata?.stored)::json, metadata),
                 updated_at = \(now)
           WHERE tenant_id = \(caller.tenant) AND id = \(id)
          RETURNING \(fragment: Self.columns)
          """)
      }
      guard let row = rows.first else { throw APIFailure.notFound("customer") }
      if let email = body.email, BlankText.said(email) == nil {
        try await Self.forget(id, for: caller, now: now, in: transaction)
      }
      try await EventLog.append(.customerUpdated, id.rawValue, by: caller, at: now, in: transaction)
      return try Customer(row: row)
    }
  }

  /// If a customer's address is removed, the copies of address and name in the licenses are removed too.
  private static func forget(
    _ id: CustomerID, for caller: Caller, now: Date, in transaction: PostgresTransaction
  ) async throws {
    try await transaction.query(
      """
      UPDATE license_server.licenses
         SET customer_email = NULL,
             customer_name  = NULL,
             updated_at     = \(now)
       WHERE tenant_id = \(caller.tenant) AND customer_id = \(id)
         AND (customer_email IS NOT NULL OR customer_name IS NOT NULL)
      """)
  }

  /// Also removes the values of custom fields that were set on the customer.
  /// - Throws: 409 while a license, order or subscription refers to the customer.
  func delete(_ id: CustomerID, for caller: Caller) async throws {
    try await store.transaction(caller.tenant) { transaction in
      try await CustomFieldValues.removeAll(of: id, for: caller, in: transaction)
      let rows = try await transaction.query(
        "DELETE FROM license_server.customers WHERE tenant_id = \(caller.tenant) AND id = \(id)")
      guard rows.affectedRows == 1 else { throw APIFailure.notFound("customer") }
      try await EventLog.append(.customerDeleted, id.rawValue, by: caller, at: clock.now(), in: transaction)
    }
  }

  /// Refuses a link to a customer that is not there: 404, naming the field.
  static func require(_ id: CustomerID?, for caller: Caller, in transaction: PostgresTransaction) async throws {
    guard let id, !id.rawValue.isEmpty else { return }
    let rows = try await transaction.query(
      "SELECT id FROM license_server.customers WHERE tenant_id = \(caller.tenant) AND id = \(id)")
    guard !rows.isEmpty else { throw APIFailure.notFound("customer_id") }
  }

  static let columns: PostgresQuery = "id, name, code, email, metadata::text AS metadata, created_at, updated_at"
}

extension Customer {
  init(row: PostgresRow) throws {
    self.init(
      id: try row.get("id"), name: try row.get("name"), code: try row.get("code"), email: try row.get("email"),
      metadata: try row.metadata(), createdAt: try row.get("created_at"), updatedAt: try row.get("updated_at"))
  }
}
