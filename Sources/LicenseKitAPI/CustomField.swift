public import Foundation
public import Identity
public import JSON

/// The subject of ``CustomFieldDefinitionID``.
public enum CustomFieldDefinitionTag {}
/// The id of a custom field (this project's server makes ids that begin with `fld_`; to a client they are opaque).
public typealias CustomFieldDefinitionID = ID<CustomFieldDefinitionTag>

/// What a custom field is a field of.
public enum CustomFieldResourceType: String, Codable, Hashable, Sendable, CaseIterable {
  /// Licenses of the product that defines it.
  case license
  /// Customers, whatever they bought.
  case customer
}

/// What a custom field holds.
public enum CustomFieldValueType: String, Codable, Hashable, Sendable, CaseIterable {
  /// A text.
  case string
  /// A whole number.
  case integer
  /// Yes or no.
  case boolean
  /// A moment, in whole seconds.
  case datetime
  /// One of the field's options.
  case `enum`
}

/// A field that a product defines for its licenses or for customers.
public struct CustomFieldDefinition: Codable, Hashable, Sendable {
  /// The record's id.
  public var id: CustomFieldDefinitionID
  /// The product this belongs to.
  public var productID: ProductID
  /// What it is a field of; never changes.
  public var resourceType: CustomFieldResourceType
  /// The short name programs use; unique per product and resource type.
  public var code: String
  /// The name people read.
  public var name: String
  /// What it holds; never changes.
  public var valueType: CustomFieldValueType
  /// Whether a value that was set may be replaced only, and not cleared.
  public var isRequired: Bool
  /// What an `enum` may hold; empty for the other types.
  public var enumOptions: [String]
  /// Free-form facts of the caller; the server stores and returns them unread.
  public var metadata: JSONObject
  /// When the record was made.
  public var createdAt: Date
  /// When the record last changed.
  public var updatedAt: Date

  /// Every field as the contract has it.
  public init(
    id: CustomFieldDefinitionID,
    productID: ProductID,
    resourceType: CustomFieldResourceType,
    code: String,
    name: String,
    valueType: CustomFieldValueType,
    isRequired: Bool,
    enumOptions: [String],
    metadata: JSONObject,
    createdAt: Date,
    updatedAt: Date
  ) {
    self.id = id
    self.productID = productID
    self.resourceType = resourceType
    self.code = code
    self.name = name
    self.valueType = valueType
    self.isRequired = isRequired
    self.enumOptions = enumOptions
    self.metadata = metadata
    self.createdAt = createdAt
    self.updatedAt = updatedAt
  }
}

/// The body of `createProductCustomFieldDefinition`.
public struct CustomFieldDefinitionCreateRequest: Codable, Hashable, Sendable {
  /// What it is a field of.
  public var resourceType: CustomFieldResourceType
  /// The short name programs use; unique per product and resource type.
  public var code: String
  /// The name people read.
  public var name: String
  /// What it holds.
  public var valueType: CustomFieldValueType
  /// Whether a value that was set may not be cleared; false when nil.
  public var isRequired: Bool?
  /// What an `enum` may hold, at least one; for the other types none.
  public var enumOptions: [String]?
  /// Free-form facts of the caller; the server stores and returns them unread.
  public var metadata: JSONObject?

  /// Every field as the contract has it; what is nil is left out on the wire.
  public init(
    resourceType: CustomFieldResourceType,
    code: String,
    name: String,
    valueType: CustomFieldValueType,
    isRequired: Bool? = nil,
    enumOptions: [String]? = nil,
    metadata: JSONObject? = nil
  ) {
    self.resourceType = resourceType
    self.code = code
    self.name = name
    self.valueType = valueType
    self.isRequired = isRequired
    self.enumOptions = enumOptions
    self.metadata = metadata
  }
}

/// The body of `updateProductCustomFieldDefinition`. What is nil stays as it is; options and metadata are replaced as a whole.
public struct CustomFieldDefinitionUpdateRequest: Codable, Hashable, Sendable {
  /// The short name programs use; unique per product and resource type.
  public var code: String?
  /// The name people read.
  public var name: String?
  /// Whether a value that was set may not be cleared.
  public var isRequired: Bool?
  /// What an `enum` may hold. An option that some value has cannot be taken away.
  public var enumOptions: [String]?
  /// Free-form facts of the caller; the server stores and returns them unread.
  public var metadata: JSONObject?

  /// Every field as the contract has it; what is nil is left out on the wire.
  public init(
    code: String? = nil,
    name: String? = nil,
    isRequired: Bool? = nil,
    enumOptions: [String]? = nil,
    metadata: JSONObject? = nil
  ) {
    self.code = code
    self.name = name
    self.isRequired = isRequired
    self.enumOptions = enumOptions
    self.metadata = metadata
  }
}

/// The value of a custom field on one license or customer, with its definition. Exactly one of the five values is there.
public struct CustomFieldValue: Codable, Hashable, Sendable {
  /// The field.
  public var definitionID: CustomFieldDefinitionID
  /// The product that defines the field.
  public var productID: ProductID
  /// What it is a field of.
  public var resourceType: CustomFieldResourceType
  /// The id of the license or customer.
  public var resourceID: String
  /// The field's short name.
  public var code: String
  /// The field's name for people.
  public var name: String
  /// What the field holds.
  public var valueType: CustomFieldValueType
  /// Whether the value may not be cleared.
  public var isRequired: Bool
  /// What an `enum` may hold.
  public var enumOptions: [String]
  /// The field's metadata.
  public var metadata: JSONObject
  /// The value of a field of type `string`.
  public var stringValue: String?
  /// The value of a field of type `integer`.
  public var integerValue: Int64?
  /// The value of a field of type `boolean`.
  public var booleanValue: Bool?
  /// The value of a field of type `datetime`.
  public var datetimeValue: Date?
  /// The value of a field of type `enum`.
  public var enumValue: String?
  /// When the value was last set.
  public var updatedAt: Date

  /// Every field as the contract has it; what is nil is left out on the wire.
  public init(
    definitionID: CustomFieldDefinitionID,
    productID: ProductID,
    resourceType: CustomFieldResourceType,
    resourceID: String,
    code: String,
    name: String,
    valueType: CustomFieldValueType,
    isRequired: Bool,
    enumOptions: [String],
    metadata: JSONObject,
    stringValue: String? = nil,
    integerValue: Int64? = nil,
    booleanValue: Bool? = nil,
    datetimeValue: Date? = nil,
    enumValue: String? = nil,
    updatedAt: Date
  ) {
    self.definitionID = definitionID
    self.productID = productID
    self.resourceType = resourceType
    self.resourceID = resourceID
    self.code = code
    self.name = name
    self.valueType = valueType
    self.isRequired = isRequired
    self.enumOptions = enumOptions
    self.metadata = metadata
    self.stringValue = stringValue
    self.integerValue = integerValue
    self.booleanValue = booleanValue
    self.datetimeValue = datetimeValue
    self.enumValue = enumValue
    self.updatedAt = updatedAt
  }
}

/// The body of `upsertCustomerCustomFieldValue` and `upsertLicenseCustomFieldValue`: exactly one value of the field's type, or
/// `clear`.
public struct CustomFieldValueUpsertRequest: Codable, Hashable, Sendable {
  /// Whether to remove the value.
  public var clear: Bool?
  /// For a field of type `string`.
  public var stringValue: String?
  /// For a field of type `integer`.
  public var integerValue: Int64?
  /// For a field of type `boolean`.
  public var booleanValue: Bool?
  /// For a field of type `datetime`.
  public var datetimeValue: Date?
  /// For a field of type `enum`.
  public var enumValue: String?

  /// Every field as the contract has it; what is nil is left out on the wire.
  public init(
    clear: Bool? = nil,
    stringValue: String? = nil,
    integerValue: Int64? = nil,
    booleanValue: Bool? = nil,
    datetimeValue: Date? = nil,
    enumValue: String? = nil
  ) {
    self.clear = clear
    self.stringValue = stringValue
    self.integerValue = integerValue
    self.booleanValue = booleanValue
    self.datetimeValue = datetimeValue
    self.enumValue = enumValue
  }
}
