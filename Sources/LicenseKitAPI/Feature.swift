public import Foundation
public import JSON

/// A capability of a product that licenses can be given.
public struct Feature: Codable, Hashable, Sendable {
  /// The record's id.
  public var id: FeatureID
  /// The product this belongs to.
  public var productID: ProductID
  /// The code the application asks for; unique per product, printable ASCII because it gets signed.
  public var code: String
  /// The name people read.
  public var name: String
  /// Free-form facts of the caller; the server stores and returns them unread.
  public var metadata: JSONObject
  /// When the record was made.
  public var createdAt: Date

  /// Every field as the contract has it; what is nil is left out on the wire.
  public init(
    id: FeatureID,
    productID: ProductID,
    code: String,
    name: String,
    metadata: JSONObject,
    createdAt: Date
  ) {
    self.id = id
    self.productID = productID
    self.code = code
    self.name = name
    self.metadata = metadata
    self.createdAt = createdAt
  }
}

/// The body of `createFeature`. Features cannot be changed or deleted afterwards.
public struct FeatureCreateRequest: Codable, Hashable, Sendable {
  /// The name people read.
  public var name: String
  /// The code the application asks for: letters, digits and `._:-`, at most 128.
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
