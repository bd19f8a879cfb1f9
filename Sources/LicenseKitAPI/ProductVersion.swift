public import Foundation
public import JSON

/// A released version of a product. Once a product has any, runtime answers can refuse versions that are not covered.
public struct ProductVersion: Codable, Hashable, Sendable {
  /// The record's id.
  public var id: ProductVersionID
  /// The product this belongs to.
  public var productID: ProductID
  /// The version's name, for example `1.4.0`.
  public var version: String
  /// When the version was released.
  public var releasedAt: Date
  /// Free-form facts of the caller; the server stores and returns them unread.
  public var metadata: JSONObject
  /// When the record was made.
  public var createdAt: Date
  /// When the record last changed.
  public var updatedAt: Date

  /// Every field as the contract has it; what is nil is left out on the wire.
  public init(
    id: ProductVersionID,
    productID: ProductID,
    version: String,
    releasedAt: Date,
    metadata: JSONObject,
    createdAt: Date,
    updatedAt: Date
  ) {
    self.id = id
    self.productID = productID
    self.version = version
    self.releasedAt = releasedAt
    self.metadata = metadata
    self.createdAt = createdAt
    self.updatedAt = updatedAt
  }
}

/// The body of `createProductVersion`.
public struct ProductVersionCreateRequest: Codable, Hashable, Sendable {
  /// The version's name, for example `1.4.0`.
  public var version: String
  /// When the version was released; the server's present time when nil.
  public var releasedAt: Date?
  /// Free-form facts of the caller; the server stores and returns them unread.
  public var metadata: JSONObject?

  /// Every field as the contract has it; what is nil is left out on the wire.
  public init(
    version: String,
    releasedAt: Date? = nil,
    metadata: JSONObject? = nil
  ) {
    self.version = version
    self.releasedAt = releasedAt
    self.metadata = metadata
  }
}
