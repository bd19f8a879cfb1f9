import Cryptography
import Foundation
import Identity
import JSON
import LicenseKitAPI
import Postgres
import ServerKit

/// The fields that products define for their licenses and for customers.
struct CustomFieldDefinitions: Sendable {
  let store: TenantStore
  let clock: ServerClock

  /// Newest first. An unknown product has none.
  func list(
    _ product: ProductID, _ range: ListRange<CustomFieldDefinitionTag>, for caller: Caller
  ) async throws -> ListPage<CustomFieldDefinition> {
    try await store.transaction(caller.tenant, readOnly: true) { transaction in
      let read = try await transaction.query(
        """
        SELECT \(fragment: Self.columns)
          FROM license_server.custom_field_definitions
         WHERE tenant_id = \(caller.tenant) AND product_id = \(product) AND id < \(range.below)
         ORDER BY id DESC
         LIMIT \(fragment: range.rowsRead)
        """
      ).all(CustomFieldDefinition.init(row:))
      return ListPage(read, of: range, by: \.id)
    }
  }

  /// - Throws: 404 for an unknown product, 409 for a code that the product has for that resource type, 422 for options that
  ///   do not go with the type.
  func create(
    _ product: ProductID, _ body: CustomFieldDefinitionCreateRequest, for caller: Caller
  ) async throws -> CustomFieldDefinition {
    try Checks.code(body.code)
    try Checks.required(body.name, "name")
    try Checks.metadata(body.metadata)
    let now = clock.now()
    let field = CustomFieldDefinition(
      id: CustomFieldDefinitionID(Random.id(prefix: "fld_")), productID: product, resourceType: body.resourceType,
      code: body.code, name: body.name, valueType: body.valueType, isRequired: body.isRequired ?? false,
      enumOptions: try CustomFieldOptions.checked(body.enumOptions ?? [], for: body.valueType),
      metadata: body.metadata ?? [:], createdAt: now, updatedAt: now)
    return try await store.transaction(caller.tenant) { transaction in
      try await Products.find(product, for: caller, in: transaction)
      try await conflicting(on: "custom_field_definitions_code", Self.codeIsTaken) {
        try await transaction.query(
          """
          INSERT INTO license_server.custom_field_definitions
                 (tenant_id, id, product_id, resource_type,
                  code, name, value_type, is_required,
                  enum_options, metadata, created_at, updated_at)
          VALUES (\(caller.tenant), \(field.id), \(product), \(field.resourceType.rawValue),
                  \(field.code), \(field.name), \(field.valueType.rawValue), \(field.isRequired),
                  \(field.enumOptions), \(field.metadata.stored)::json, \(now), \(now))
          """)
      }
      try await Self.log(.customFieldCreated, field, by: caller, at: now, in: transaction)
      return field
    }
  }

  func get(
    _ product: ProductID, _ id: CustomFieldDefinitionID, for caller: Caller
  ) async throws -> CustomFieldDefinition {
    try await store.transaction(caller.tenant, readOnly: true) { transaction in
      try await Self.find(id, of: product, for: caller, in: transaction)
    }
  }

  /// Type and kind of resource cannot be changed.
  ///
  /// - Throws: 409 for a code that is already used, and for removing an option that some value has.
  func update(
    _ product: ProductID, _ id: CustomFieldDefinitionID, _ body: CustomFieldDefinitionUpdateRequest, for caller: Caller
  ) async throws -> CustomFieldDefinition {
    try Checks.code(body.code)
    try Checks.required(body.name, "name")
    try Checks.metadata(body.metadata)
    let now = clock.now()
    return try await store.transaction(caller.tenant) { transaction in
      var changed = try await Self.find(id, of: product, for: caller, lock: .change, in: transaction)
      if let options = body.enumOptions {
        let wanted = try CustomFieldOptions.checked(options, for: changed.valueType)
        try await Self.requireUnused(
          changed.enumOptions.filter { !wanted.contains($0) }, of: id, for: caller, in: transaction)
        changed.enumOptions = wanted
      }
      if let code = body.code { changed.code = code }
      if let name = body.name { changed.name = name }
      if let isRequired = body.isRequired { changed.isRequired = isRequired }
      if let metadata = body.metadata { changed.metadata = metadata }
      changed.updatedAt = now
      let field = changed
      try await conflicting(on: "custom_field_definitions_code", Self.codeIsTaken) {
        try await transaction.query(
          """
          UPDATE license_server.custom_field_definitions
             SET code         = \(field.code),
                 name         = \(field.name),
                 is_required  = \(field.isRequired),
                 enum_options = \(field.enumOptions),
                 metadata     = \(field.metadata.stored)::json,
                 updated_at   = \(now)
           WHERE tenant_id = \(caller.tenant) AND id = \(id)
          """)
      }
      try await Self.log(.customFieldUpdated, field, by: caller, at: now, in: transaction)
      return field
    }
  }

  /// - Throws: 409 while some license or customer has a value.
  func delete(_ product: ProductID, _ id: CustomFieldDefinitionID, for caller: Caller) async throws {
    let now = clock.now()
    try await store.transaction(caller.tenant) { transaction in
      let field = try await Self.find(id, of: product, for: caller, lock: .change, in: transaction)
      let values = try await transaction.query(
        """
        SELECT FROM license_server.custom_field_values
         WHERE tenant_id = \(caller.tenant) AND definition_id = \(id)
         LIMIT 1
        """)
      guard values.isEmpty else { throw APIFailure.conflict("the field has values") }
      try await transaction.query(
        "DELETE FROM license_server.custom_field_definitions WHERE tenant_id = \(caller.tenant) AND id = \(id)")
      try await Self.log(.customFieldDeleted, field, by: caller, at: now, in: transaction)
    }
  }

  /// The lock on a field while something that depends on it is written.
  enum Lock: String, Sendable {
    /// Values may be set concurrently; the definition does not change meanwhile.
    case use = "FOR SHARE"
    /// Nothing else changes the field or its values.
    case change = "FOR UPDATE"
  }

  /// The field of a product, or 404.
  static func find(
    _ id: CustomFieldDefinitionID, of product: ProductID, for caller: Caller, lock: Lock? = nil,
    in transaction: PostgresTransaction
  ) async throws -> CustomFieldDefinition {
    guard let field = try await find(id, for: caller, lock: lock, in: transaction), field.productID == product else {
      throw APIFailure.notFound("field_id")
    }
    return field
  }

  /// The field, whatever product defines it, or nil.
  static func find(
    _ id: CustomFieldDefinitionID, for caller: Caller, lock: Lock? = nil, in transaction: PostgresTransaction
  ) async throws -> CustomFieldDefinition? {
    let rows = try await transaction.query(
      """
      SELECT \(fragment: columns)
        FROM license_server.custom_field_definitions
       WHERE tenant_id = \(caller.tenant) AND id = \(id)
      \(unescaped: lock?.rawValue ?? "")
      """)
    return try rows.first.map(CustomFieldDefinition.init(row:))
  }

  /// Refuses to remove options that values have: 409, naming one.
  private static func requireUnused(
    _ options: [String], of id: CustomFieldDefinitionID, for caller: Caller, in transaction: PostgresTransaction
  ) async throws {
    guard !options.isEmpty else { return }
    let rows = try await transaction.query(
      """
      SELECT enum_value
        FROM license_server.custom_field_values
       WHERE tenant_id = \(caller.tenant) AND definition_id = \(id) AND enum_value = ANY (\(options))
       LIMIT 1
      """)
    guard let used = try rows.first?.get("enum_value", as: String.self) else { return }
    throw APIFailure.conflict("enum_options: some value is \(used)")
  }

  private static func log(
    _ event: EventLog.Kind, _ field: CustomFieldDefinition, by caller: Caller, at now: Date,
    in transaction: PostgresTransaction
  ) async throws {
    try await EventLog.append(
      event, field.id.rawValue, by: caller, at: now,
      metadata: [
        "product_id": .string(field.productID.rawValue), "resource_type": .string(field.resourceType.rawValue),
        "code": .string(field.code),
      ], in: transaction)
  }

  private static let codeIsTaken = "code: another field of the product for that resource type has it"

  static let columns: PostgresQuery = """
    id, product_id, resource_type, code, name, value_type, is_required, enum_options, metadata::text AS metadata,
    created_at, updated_at
    """
}

extension CustomFieldDefinition {
  init(row: PostgresRow) throws {
    self.init(
      id: try row.get("id"), productID: try row.get("product_id"), resourceType: try row.value("resource_type"),
      code: try row.get("code"), name: try row.get("name"), valueType: try row.value("value_type"),
      isRequired: try row.get("is_required"), enumOptions: try row.get("enum_options"), metadata: try row.metadata(),
      createdAt: try row.get("created_at"), updatedAt: try row.get("updated_at"))
  }
}
