public import Foundation
public import Identity
public import JSON

/// One event with its snapshot (API reference, "The Event object").
///
/// Everything that no decision depends on is read leniently. The API version of the snapshot is not checked:
/// `account.application.*` and replayed events may have another one than the endpoint.
public struct StripeEvent: Hashable, Sendable {
  /// The same on every redelivery, and at every endpoint.
  public let id: Stripe.EventID
  public let type: StripeEventType
  /// The merchant; nil on events of the developer's own account.
  public let account: Stripe.AccountID?
  public let livemode: Bool
  /// When Stripe made the event, to the second: events of one second have no order among themselves.
  public let created: Date
  /// The version `object` is rendered in.
  public let apiVersion: String?
  /// The state of the object when the event was made; an empty object if the event is about none, like a `ping`.
  public let object: JSONValue
  /// For an `*.updated` event: the former values of what changed, with whole arrays.
  public let previousAttributes: JSONObject?
  /// The API request that caused the event; nil when Stripe acted by itself.
  public let requestID: String?
  /// The idempotency key of that request: how an app recognises its own writes.
  public let requestIdempotencyKey: String?

  /// Reads the body of a delivery.
  public init(parsing bytes: [UInt8]) throws(StripeEventError) {
    let value: JSONValue
    do { value = try JSONValue(parsing: bytes) } catch { throw .notJSON(error) }
    // The event's identity is checked in its original text.
    try self.init(value, fit: value.withoutControls(readFrom: bytes))
  }

  /// Reads an event that is already parsed, as `/v1/events` lists them.
  public init(_ value: JSONValue) throws(StripeEventError) { try self.init(value, fit: value) }

  /// - Parameter fit: the same value without characters that cannot be stored.
  init(_ value: JSONValue, fit: JSONValue) throws(StripeEventError) {
    guard let event = value.object, try EventEnvelope.kind(event["object"]?.string) == .snapshot else {
      throw .notAnEvent
    }
    created = try EventEnvelope.second(event["created"]?.integer)
    guard let livemode = event["livemode"]?.bool else { throw .missing("livemode") }
    type = try EventEnvelope.type(event["type"]?.string)
    id = try EventEnvelope.eventID(event["id"]?.string)
    account = try EventEnvelope.accountID(event["account"], former: event[EventEnvelope.formerAccountField])
    self.livemode = livemode
    apiVersion = fit["api_version"]?.string
    let data = fit["data"]?["object"]
    object = data?.object == nil ? [:] : data ?? [:]
    previousAttributes = fit["data"]?["previous_attributes"]?.object
    // Before 2017-05-25 `request` was the id alone.
    requestID = fit["request"]?["id"]?.string ?? fit["request"]?.string
    requestIdempotencyKey = fit["request"]?["idempotency_key"]?.string
  }

  /// The kind of the snapshot, Stripe's `object` word, for example `checkout.session`.
  public var objectKind: String? { object["object"]?.string }

  /// The id of the snapshot's object. An `invoice.upcoming` has none.
  public var objectID: String? { object["id"]?.string.flatMap { $0.isEmpty ? nil : $0 } }

  /// Whether an `*.updated` event says only that metadata under these keys changed. An app that writes metadata gets
  /// such an event back for each of its own writes, and must not answer it with another.
  public func changesOnlyMetadata(keys: Set<String>) -> Bool {
    guard let previousAttributes, !previousAttributes.isEmpty else { return false }
    for (field, former) in previousAttributes.elements {
      guard field == "metadata" else { return false }
      guard let changed = former.object else { return false }
      for key in changed.keys where !keys.contains(key) { return false }
    }
    return true
  }
}

/// Why a body is not an event that this program can read.
public enum StripeEventError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The body is not JSON; the reason contains an offset and no content.
  case notJSON(JSONParsingError)
  /// JSON, but not an event.
  case notAnEvent
  /// A field that every event has is absent or has another type.
  case missing(String)

  /// A stable word for logs, metrics and answers.
  public var code: String {
    switch self {
    case .notJSON: "not_json"
    case .notAnEvent: "not_an_event"
    case .missing: "missing_field"
    }
  }

  public var description: String {
    switch self {
    case .notJSON(let error): "the body is not JSON: \(error)"
    case .notAnEvent: "the body is not an event (expected an object of the kind event or v2.core.event)"
    case .missing(let field): "the event's field '\(field)' is missing or of an unexpected type"
    }
  }
}
