public import Foundation
public import JSON

/// A customer of the vendor.
public struct Customer: Codable, Hashable, Sendable {
  /// The record's id.
  public var id: CustomerID
  /// The name people read.
  public var name: String
  /// The short name programs use; unique per server.
  public var code: String
  /// The customer's address; not a key, several customers may share it.
  public var email: String?
  /// Free-form facts of the caller; the server stores and returns them unread.
  public var metadata: JSONObject
  /// When the record was made.
  public var createdAt: Date
  /// When the record last changed.
  public var updatedAt: Date

  /// Every field as the contract has it; what is nil is left out on the wire.
  public init(
    id: CustomerID,
    name: String,
    code: String,
    email: String? = nil,
    metadata: JSONObject,
    createdAt: Date,
    updatedAt: Date
  ) {
    self.id = id
    self.name = name
    self.code = code
    self.email = email
    self.metadata = metadata
    self.createdAt = createdAt
    self.updatedAt = updatedAt
  }
}

/// The body of `createCustomer`.
public struct CustomerCreateRequest: Codable, Hashable, Sendable {
  /// The name people read.
  public var name: String
  /// The short name programs use; unique per server.
  public var code: String
  /// The customer's address; not a key, several customers may share it.
  public var email: String?
  /// Free-form facts of the caller; the server stores and returns them unread.
  public var metadata: JSONObject?

  /// Every field as the contract has it; what is nil is left out on the wire.
  public init(
    name: String,
    code: String,
    email: String? = nil,
    metadata: JSONObject? = nil
  ) {
    self.name = name
    self.code = code
    self.email = email
    self.metadata = metadata
  }
}

/// The body of `updateCustomer`. What is nil stays as it is; metadata is replaced as a whole.
public struct CustomerUpdateRequest: Codable, Hashable, Sendable {
  /// The name people read.
  public var name: String?
  /// The short name programs use; unique within its scope.
  public var code: String?
  /// The customer's address; an empty string removes it.
  public var email: String?
  /// Free-form facts of the caller; the server stores and returns them unread.
  public var metadata: JSONObject?

  /// Every field as the contract has it; what is nil is left out on the wire.
  public init(
    name: String? = nil,
    code: String? = nil,
    email: String? = nil,
    metadata: JSONObject? = nil
  ) {
    self.name = name
    self.code = code
    self.email = email
    self.metadata = metadata
  }
}
