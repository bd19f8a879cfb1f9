import Foundation
import Identity
import JSON
import LicenseKitAPI
import Postgres
import ServerKit

/// The values of custom fields on licenses and customers.
struct CustomFieldValues: Sendable {
  let store: TenantStore
  let clock: ServerClock

  /// Whose values.
  enum Owner: Hashable, Sendable {
    case license(LicenseID)
    case customer(CustomerID)

    var type: CustomFieldResourceType {
      switch self {
      case .license: .license
      case .customer: .customer
      }
    }

    var id: String {
      switch self {
      case .license(let id): id.rawValue
      case .customer(let id): id.rawValue
      }
    }
  }

  /// The values that are set, those of the newest field first.
  /// - Throws: 404 for a license or customer that is not there.
  func list(
    _ owner: Owner, _ range: ListRange<CustomFieldDefinitionTag>, for caller: Caller
  ) async throws -> ListPage<CustomFieldValue> {
    try await store.transaction(caller.tenant, readOnly: true) { transaction in
      _ = try await Self.product(of: owner, for: caller, in: transaction)
      let read = try await transaction.query(
        """
        \(fragment: Self.selection)
         WHERE v.tenant_id = \(caller.tenant) AND v.resource_type = \(owner.type.rawValue) AND v.resource_id = \(owner.id)
           AND v.definition_id < \(range.below)
         ORDER BY v.definition_id DESC
         LIMIT \(fragment: range.rowsRead)
        """
      ).all(CustomFieldValue.init(row:))
      return ListPage(read, of: range, by: \.definitionID)
    }
  }

  /// Sets a value, or removes it.
  ///
  /// - Returns: the value after the change; nil if it was removed or never existed.
  /// - Throws: 404 for a license, customer or field that is not there, or a field of something else (a license has the fields
  ///   of its own product, a customer those that any product defines for customers); 422 for a value that the field cannot
  ///   hold, and for clearing a required one.
  func upsert(
    _ owner: Owner, _ id: CustomFieldDefinitionID, _ body: CustomFieldValueUpsertRequest, for caller: Caller
  ) async throws -> CustomFieldValue? {
    let change = try CustomFieldChange(body)
    let now = clock.now()
    return try await store.transaction(caller.tenant) { transaction in
      let product = try await Self.product(of: owner, for: caller, in: transaction)
      guard let field = try await CustomFieldDefinitions.find(id, for: caller, lock: .use, in: transaction),
        field.resourceType == owner.type, product == nil || product == field.productID
      else { throw APIFailure.notFound("field_id") }
      switch change {
      case .set(let content):
        try content.check(for: field)
        return try await set(content, field, owner, for: caller, now: now, in: transaction)
      case .clear:
        guard !field.isRequired else { throw APIFailure.validation(field: "clear", "the field is required") }
        try await clear(field, owner, for: caller, now: now, in: transaction)
        return nil
      }
    }
  }

  private func set(
    _ content: CustomFieldContent, _ field: CustomFieldDefinition, _ owner: Owner, for caller: Caller, now: Date,
    in transaction: PostgresTransaction
  ) async throws -> CustomFieldValue {
    var value = CustomFieldValue(field, owner, updatedAt: now)
    switch content {
    case .string(let text): value.stringValue = text
    case .integer(let number): value.integerValue = number
    case .boolean(let flag): value.booleanValue = flag
    case .datetime(let moment): value.datetimeValue = moment
    case .option(let option): value.enumValue = option
    }
    try await transaction.query(
      """
      INSERT INTO license_server.custom_field_values
             (tenant_id, resource_type, resource_id, definition_id,
              string_value, integer_value, boolean_value,
              datetime_value, enum_value, updated_at)
      VALUES (\(caller.tenant), \(owner.type.rawValue), \(owner.id), \(field.id),
              \(value.stringValue), \(value.integerValue), \(value.booleanValue),
              \(value.datetimeValue), \(value.enumValue), \(now))
          ON CONFLICT (tenant_id, resource_type, resource_id, definition_id)
          DO UPDATE
         SET string_value   = excluded.string_value,
             integer_value  = excluded.integer_value,
             boolean_value  = excluded.boolean_value,
             datetime_value = excluded.datetime_value,
             enum_value     = excluded.enum_value,
             updated_at     = excluded.updated_at
      """)
    try await Self.log(.customFieldValueSet, field, owner, by: caller, at: now, in: transaction)
    return value
  }

  private func clear(
    _ field: CustomFieldDefinition, _ owner: Owner, for caller: Caller, now: Date, in transaction: PostgresTransaction
  ) async throws {
    let rows = try await transaction.query(
      """
      DELETE FROM license_server.custom_field_values
       WHERE tenant_id = \(caller.tenant) AND resource_type = \(owner.type.rawValue) AND resource_id = \(owner.id)
         AND definition_id = \(field.id)
      """)
    guard rows.affectedRows > 0 else { return }
    try await Self.log(.customFieldValueCleared, field, owner, by: caller, at: now, in: transaction)
  }

  /// Removes everything that was set on a customer, who is about to be deleted.
  static func removeAll(
    of customer: CustomerID, for caller: Caller, in transaction: PostgresTransaction
  ) async throws {
    try await transaction.query(
      """
      DELETE FROM license_server.custom_field_values
       WHERE tenant_id = \(caller.tenant) AND resource_type = \(CustomFieldResourceType.customer.rawValue)
         AND resource_id = \(customer)
      """)
  }

  /// The product whose fields a license has; nil for a customer, who has those of every product.
  /// - Throws: 404 for a license or customer that is not there.
  private static func product(
    of owner: Owner, for caller: Caller, in transaction: PostgresTransaction
  ) async throws -> ProductID? {
    switch owner {
    case .license(let id):
      let rows = try await transaction.query(
        "SELECT product_id FROM license_server.licenses WHERE tenant_id = \(caller.tenant) AND id = \(id)")
      guard let row = rows.first else { throw APIFailure.notFound("license") }
      return try row.get("product_id", as: ProductID.self)
    case .customer(let id):
      let rows = try await transaction.query(
        "SELECT FROM license_server.customers WHERE tenant_id = \(caller.tenant) AND id = \(id)")
      guard !rows.isEmpty else { throw APIFailure.notFound("customer") }
      return nil
    }
  }

  /// The entry is about the license or customer. It does not contain the old or new value.
  private static func log(
    _ event: EventLog.Kind, _ field: CustomFieldDefinition, _ owner: Owner, by caller: Caller, at now: Date,
    in transaction: PostgresTransaction
  ) async throws {
    try await EventLog.append(
      event, owner.id, of: owner.type.rawValue, by: caller, at: now,
      metadata: ["definition_id": .string(field.id.rawValue), "code": .string(field.code)], in: transaction)
  }

  static let selection: PostgresQuery = """
    SELECT v.definition_id, d.product_id, v.resource_type, v.resource_id, d.code, d.name, d.value_type, d.is_required,
           d.enum_options, d.metadata::text AS metadata, v.string_value, v.integer_value, v.boolean_value, v.datetime_value,
           v.enum_value, v.updated_at
      FROM license_server.custom_field_values v
      JOIN license_server.custom_field_definitions d ON d.tenant_id = v.tenant_id AND d.id = v.definition_id
    """
}

extension CustomFieldValue {
  /// A field on its owner, without a value yet.
  init(_ field: CustomFieldDefinition, _ owner: CustomFieldValues.Owner, updatedAt: Date) {
    self.init(
      definitionID: field.id, productID: field.productID, resourceType: owner.type, resourceID: owner.id,
      code: field.code, name: field.name, valueType: field.valueType, isRequired: field.isRequired,
      enumOptions: field.enumOptions, metadata: field.metadata, updatedAt: updatedAt)
  }

  init(row: PostgresRow) throws {
    self.init(
      definitionID: try row.get("definition_id"), productID: try row.get("product_id"),
      resourceType: try row.value("resource_type"), resourceID: try row.get("resource_id"), code: try row.get("code"),
      name: try row.get("name"), valueType: try row.value("value_type"), isRequired: try row.get("is_required"),
      enumOptions: try row.get("enum_options"), metadata: try row.metadata(),
      stringValue: try row.get("string_value"), integerValue: try row.get("integer_value"),
      booleanValue: try row.get("boolean_value"), datetimeValue: try row.get("datetime_value"),
      enumValue: try row.get("enum_value"), updatedAt: try row.get("updated_at"))
  }
}
