public import Foundation
public import JSON

/// Who caused an event.
public enum AuditActorType: String, Codable, Hashable, Sendable, CaseIterable {
  /// A management token.
  case apiKey = "api_key"
  /// An application with a license key.
  case license
  /// A person signed in elsewhere.
  case oidcSubject = "oidc_subject"
  /// The server itself or its operator.
  case system
}

/// One entry of the audit trail.
public struct Event: Codable, Hashable, Sendable {
  /// Rises with every entry; the cursor of the list.
  public var sequence: Int64
  /// What happened, for example `license.renewed`.
  public var eventType: String
  /// Who caused it.
  public var actorType: AuditActorType
  /// The id of who caused it.
  public var actorID: String
  /// The kind of record it happened to.
  public var resourceType: String
  /// The record it happened to.
  public var resourceID: String?
  /// What else is known; binding values are left out.
  public var metadata: JSONObject
  /// Where the request came from.
  public var ipAddress: String?
  /// When it happened.
  public var createdAt: Date

  /// Every field as the contract has it; what is nil is left out on the wire.
  public init(
    sequence: Int64,
    eventType: String,
    actorType: AuditActorType,
    actorID: String,
    resourceType: String,
    resourceID: String? = nil,
    metadata: JSONObject,
    ipAddress: String? = nil,
    createdAt: Date
  ) {
    self.sequence = sequence
    self.eventType = eventType
    self.actorType = actorType
    self.actorID = actorID
    self.resourceType = resourceType
    self.resourceID = resourceID
    self.metadata = metadata
    self.ipAddress = ipAddress
    self.createdAt = createdAt
  }
}

/// What `listEvents` can be narrowed by. Everything given must hold.
public struct EventFilter: Codable, Hashable, Sendable {
  /// Only entries with a lower sequence; the last page's `nextCursor`.
  public var cursor: Int64?
  /// Rows wanted, 1 to 200; 50 when nil.
  public var limit: Int?
  /// What happened.
  public var eventType: String?
  /// The kind of record it happened to.
  public var resourceType: String?
  /// The record it happened to.
  public var resourceID: String?
  /// Who caused it.
  public var actorType: AuditActorType?

  /// Every field as the contract has it; what is nil is left out on the wire.
  public init(
    cursor: Int64? = nil,
    limit: Int? = nil,
    eventType: String? = nil,
    resourceType: String? = nil,
    resourceID: String? = nil,
    actorType: AuditActorType? = nil
  ) {
    self.cursor = cursor
    self.limit = limit
    self.eventType = eventType
    self.resourceType = resourceType
    self.resourceID = resourceID
    self.actorType = actorType
  }
}

/// One page of the audit trail, newest first.
public struct EventPage: Codable, Hashable, Sendable {
  /// The entries.
  public var events: [Event]
  /// Where the next page starts; nil at the end.
  public var nextCursor: Int64?

  /// Every field as the contract has it; what is nil is left out on the wire.
  public init(
    events: [Event],
    nextCursor: Int64? = nil
  ) {
    self.events = events
    self.nextCursor = nextCursor
  }
}
