public import Foundation
public import JSON

/// Something a vendor sells. Policies, features, versions, orders and subscriptions hang under it.
public struct Product: Codable, Hashable, Sendable {
  /// The record's id.
  public var id: ProductID
  /// The name people read.
  public var name: String
  /// The short name programs use; unique per server.
  public var code: String
  /// Free-form facts of the caller; the server stores and returns them unread.
  public var metadata: JSONObject
  /// When the record was made.
  public var createdAt: Date
  /// When the record last changed.
  public var updatedAt: Date

  /// Every field as the contract has it; what is nil is left out on the wire.
  public init(
    id: ProductID,
    name: String,
    code: String,
    metadata: JSONObject,
    createdAt: Date,
    updatedAt: Date
  ) {
    self.id = id
    self.name = name
    self.code = code
    self.metadata = metadata
    self.createdAt = createdAt
    self.updatedAt = updatedAt
  }
}

/// The body of `createProduct`.
public struct ProductCreateRequest: Codable, Hashable, Sendable {
  /// The name people read.
  public var name: String
  /// The short name programs use; unique per server.
  public var code: String
  /// Free-form facts of the caller; the server stores and returns them unread.
  public var metadata: JSONObject?

  /// Every field as the contract has it; what is nil is left out on the wire.
  public init(
    name: String,
    code: String,
    metadata: JSONObject? = nil
  ) {
    self.name = name
    self.code = code
    self.metadata = metadata
  }
}

/// The body of `updateProduct`. What is nil stays as it is; metadata is replaced as a whole.
public struct ProductUpdateRequest: Codable, Hashable, Sendable {
  /// The name people read.
  public var name: String?
  /// The short name programs use; unique within its scope.
  public var code: String?
  /// Free-form facts of the caller; the server stores and returns them unread.
  public var metadata: JSONObject?

  /// Every field as the contract has it; what is nil is left out on the wire.
  public init(
    name: String? = nil,
    code: String? = nil,
    metadata: JSONObject? = nil
  ) {
    self.name = name
    self.code = code
    self.metadata = metadata
  }
}
