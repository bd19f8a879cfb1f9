public import Foundation
public import Identity

/// The subject of ``WebhookEndpointID``.
public enum WebhookEndpointTag {}
/// The id of a webhook endpoint (this project's server makes ids that begin with `whe_`; to a client they are opaque).
public typealias WebhookEndpointID = ID<WebhookEndpointTag>

/// An address to which a vendor wants events sent.
public struct WebhookEndpoint: Codable, Hashable, Sendable {
  /// The record's id.
  public var id: WebhookEndpointID
  /// The name people read.
  public var name: String
  /// Where events are sent to.
  public var url: String
  /// How the secret begins, to recognise it by.
  public var secretPrefix: String
  /// The types of events it receives; empty for all.
  public var eventTypes: [String]
  /// Whether it receives any.
  public var isActive: Bool
  /// When something was last delivered to it, to about a minute.
  public var lastDeliveryAt: Date?
  /// When the record was made.
  public var createdAt: Date
  /// When it was last changed.
  public var updatedAt: Date

  /// Every field as the contract has it; what is nil is left out on the wire.
  public init(
    id: WebhookEndpointID,
    name: String,
    url: String,
    secretPrefix: String,
    eventTypes: [String],
    isActive: Bool,
    lastDeliveryAt: Date? = nil,
    createdAt: Date,
    updatedAt: Date
  ) {
    self.id = id
    self.name = name
    self.url = url
    self.secretPrefix = secretPrefix
    self.eventTypes = eventTypes
    self.isActive = isActive
    self.lastDeliveryAt = lastDeliveryAt
    self.createdAt = createdAt
    self.updatedAt = updatedAt
  }
}

/// The body of `createWebhookEndpoint`.
public struct WebhookEndpointCreateRequest: Codable, Hashable, Sendable {
  /// The name people read.
  public var name: String
  /// Where events are sent to.
  public var url: String
  /// The types of events it receives; nil or empty for all.
  public var eventTypes: [String]?
  /// The shared secret; nil lets the server make one.
  public var secret: String?
  /// Whether it receives any; true when nil.
  public var isActive: Bool?

  /// Every field as the contract has it; what is nil is left out on the wire.
  public init(
    name: String, url: String, eventTypes: [String]? = nil, secret: String? = nil, isActive: Bool? = nil
  ) {
    self.name = name
    self.url = url
    self.eventTypes = eventTypes
    self.secret = secret
    self.isActive = isActive
  }
}

/// The body of `updateWebhookEndpoint`. What is nil stays as it is.
public struct WebhookEndpointUpdateRequest: Codable, Hashable, Sendable {
  /// The name people read.
  public var name: String?
  /// Where events are sent to.
  public var url: String?
  /// The types of events it receives; empty for all.
  public var eventTypes: [String]?
  /// The shared secret from now on. Excludes `rotateSecret`.
  public var secret: String?
  /// Whether the server makes a new secret, which the answer then carries.
  public var rotateSecret: Bool?
  /// Whether it receives any.
  public var isActive: Bool?

  /// Every field as the contract has it; what is nil is left out on the wire.
  public init(
    name: String? = nil, url: String? = nil, eventTypes: [String]? = nil, secret: String? = nil,
    rotateSecret: Bool? = nil, isActive: Bool? = nil
  ) {
    self.name = name
    self.url = url
    self.eventTypes = eventTypes
    self.secret = secret
    self.rotateSecret = rotateSecret
    self.isActive = isActive
  }
}

/// An endpoint with its secret: the only answer that carries it.
public struct WebhookEndpointWithSecret: Codable, Hashable, Sendable {
  /// The endpoint.
  public var webhook: WebhookEndpoint
  /// The shared secret. Shown this once and never again.
  public var secret: String

  /// Every field as the contract has it.
  public init(webhook: WebhookEndpoint, secret: String) {
    self.webhook = webhook
    self.secret = secret
  }
}
