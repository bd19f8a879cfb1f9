public import Foundation

/// What a management token may do. Each operation needs exactly one scope; `admin` stands for all.
public enum ManagementScope: String, Codable, Hashable, Sendable, CaseIterable {
  /// Everything, and the only scope for customers and API keys.
  case admin
  /// Read products, policies, features, versions, orders and subscriptions.
  case productRead = "product:read"
  /// Write the same.
  case productWrite = "product:write"
  /// Read licenses, their devices and features.
  case licenseRead = "license:read"
  /// Issue and change licenses and their features.
  case licenseWrite = "license:write"
  /// Reset and block devices.
  case deviceWrite = "device:write"
  /// Read the audit trail.
  case eventRead = "event:read"
  /// Read operational summaries.
  case opsRead = "ops:read"
  /// Read reports.
  case reportRead = "report:read"
  /// Export reports.
  case reportExport = "report:export"
  /// Read and write webhook endpoints.
  case webhookWrite = "webhook:write"
}

/// A management token, without the token itself.
public struct APIKey: Codable, Hashable, Sendable {
  /// The record's id.
  public var id: APIKeyID
  /// The name people read.
  public var name: String
  /// How the token begins, to recognise it by.
  public var keyPrefix: String
  /// What the key may do.
  public var scopes: [ManagementScope]
  /// Networks the key may be used from; empty for anywhere.
  public var allowedCidrs: [String]
  /// Whether the token works at all.
  public var isActive: Bool
  /// The moment the token stops working; nil for never.
  public var expiresAt: Date?
  /// When it was last used, to about a minute.
  public var lastUsedAt: Date?
  /// When the record was made.
  public var createdAt: Date

  /// Every field as the contract has it; what is nil is left out on the wire.
  public init(
    id: APIKeyID,
    name: String,
    keyPrefix: String,
    scopes: [ManagementScope],
    allowedCidrs: [String],
    isActive: Bool,
    expiresAt: Date? = nil,
    lastUsedAt: Date? = nil,
    createdAt: Date
  ) {
    self.id = id
    self.name = name
    self.keyPrefix = keyPrefix
    self.scopes = scopes
    self.allowedCidrs = allowedCidrs
    self.isActive = isActive
    self.expiresAt = expiresAt
    self.lastUsedAt = lastUsedAt
    self.createdAt = createdAt
  }
}

/// The body of `createAPIKey`. Leaving `scopes` out means full `admin`: always send them.
public struct APIKeyCreateRequest: Codable, Hashable, Sendable {
  /// The name people read.
  public var name: String
  /// What the key may do.
  public var scopes: [ManagementScope]?
  /// Networks the key may be used from; empty for anywhere.
  public var allowedCidrs: [String]?
  /// The moment the token stops working; nil for never.
  public var expiresAt: Date?

  /// Every field as the contract has it; what is nil is left out on the wire.
  public init(
    name: String,
    scopes: [ManagementScope]? = nil,
    allowedCidrs: [String]? = nil,
    expiresAt: Date? = nil
  ) {
    self.name = name
    self.scopes = scopes
    self.allowedCidrs = allowedCidrs
    self.expiresAt = expiresAt
  }
}

/// The answer of `createAPIKey`, the only one that carries the token.
public struct APIKeyCreateResponse: Codable, Hashable, Sendable {
  /// The key made.
  public var apiKey: APIKey
  /// The raw token. Shown this once and never again.
  public var token: String

  /// Every field as the contract has it; what is nil is left out on the wire.
  public init(
    apiKey: APIKey,
    token: String
  ) {
    self.apiKey = apiKey
    self.token = token
  }
}
