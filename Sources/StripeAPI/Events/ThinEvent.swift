public import Foundation
public import Identity
public import JSON

/// An event that says only that an object changed; the receiver must ask for the object (API reference, "v2 core events";
/// Stripe docs, "Event destinations").
public struct ThinEvent: Hashable, Sendable {
  /// What an event is about.
  public struct RelatedObject: Hashable, Sendable {
    public let id: String
    /// Stripe's word for its kind, for example `checkout.session`.
    public let type: String
  }

  /// The id of the snapshot event about the same change; its own if it names none.
  public let id: Stripe.EventID
  /// Without the leading `v1.` of events about version 1's objects.
  public let type: StripeEventType
  /// The merchant; nil on events of the developer's own account.
  public let account: Stripe.AccountID?
  public let livemode: Bool
  /// When Stripe made the event, rounded down to the second, as the snapshot event has it.
  public let created: Date
  /// Nil if the event is about no object.
  public let relatedObject: RelatedObject?
  /// Whether `id` names an event in Stripe's list of events.
  public let hasSnapshotEvent: Bool
  /// The request that caused the event; nil when Stripe acted by itself.
  public let request: JSONValue?

  /// Reads the body of a delivery that was already parsed.
  /// - Parameter fit: the same value without characters that cannot be stored.
  init(_ event: JSONObject, fit: JSONValue) throws(StripeEventError) {
    guard let livemode = event["livemode"]?.bool else { throw .missing("livemode") }
    self.livemode = livemode
    id = try Self.key(ownID: event["id"]?.string, snapshotEvent: event["snapshot_event"]?.string)
    hasSnapshotEvent = event["snapshot_event"]?.string != nil
    account = try Self.account(event["context"])
    type = try Self.type(event["type"]?.string)
    created = try Self.second(event["created"]?.string)
    let (object, kind) = (event["related_object"]?["id"]?.string, event["related_object"]?["type"]?.string)
    if let object, let kind, Stripe.isPlain(object), Stripe.isPlain(kind) {
      relatedObject = RelatedObject(id: object, type: kind)
    } else {
      relatedObject = nil
    }
    request = fit["reason"]?["request"]
  }

  static func key(ownID: String?, snapshotEvent: String?) throws(StripeEventError) -> Stripe.EventID {
    if let snapshotEvent {
      guard Stripe.isPlain(snapshotEvent) else { throw .missing("snapshot_event") }
      return Stripe.EventID(snapshotEvent)
    }
    return try EventEnvelope.eventID(ownID)
  }

  /// The tenant is in `context`: an account, or the path to one within an organisation.
  static func account(_ context: JSONValue?) throws(StripeEventError) -> Stripe.AccountID? {
    guard let context, !context.isNull else { return nil }
    guard let text = context.string, let last = text.split(separator: "/").last, Stripe.isPlain(String(last))
    else { throw .missing("context") }
    return Stripe.AccountID(String(last))
  }

  static func type(_ text: String?) throws(StripeEventError) -> StripeEventType {
    guard let text, Stripe.isPlain(text), text != versionPrefix else { throw .missing("type") }
    return StripeEventType(text.hasPrefix(versionPrefix) ? String(text.dropFirst(versionPrefix.count)) : text)
  }

  private static let versionPrefix = "v1."

  static func second(_ created: String?) throws(StripeEventError) -> Date {
    guard let created, let date = RFC3339.date(from: created) else { throw .missing("created") }
    let second = date.timeIntervalSince1970.rounded(.down)
    guard (0...TimeInterval(EventEnvelope.latestTime)).contains(second) else { throw .missing("created") }
    return Date(timeIntervalSince1970: second)
  }
}

extension ThinEvent {
  /// The equivalent snapshot event, made with the object's present state at Stripe.
  /// - Parameter version: the API version that `object` is rendered in.
  public func snapshot(of object: JSONValue, version: String) -> JSONValue {
    .object(
      JSONObject([
        ("id", .string(id.rawValue)), ("object", "event"),
        ("account", (account?.rawValue).map(JSONValue.string) ?? .null),
        ("api_version", .string(version)), ("created", .integer(Int64(created.timeIntervalSince1970))),
        ("data", .object(JSONObject([("object", object)]))), ("livemode", .bool(livemode)),
        ("request", request ?? .null), ("type", .string(type.rawValue)),
      ]))
  }
}

/// An event as it is delivered or stored in the inbox, in either form.
public enum DeliveredEvent: Hashable, Sendable {
  case snapshot(StripeEvent)
  case thin(ThinEvent)

  /// Reads the body of a delivery.
  public init(parsing bytes: [UInt8]) throws(StripeEventError) {
    let value: JSONValue
    do { value = try JSONValue(parsing: bytes) } catch { throw .notJSON(error) }
    let fit = value.withoutControls(readFrom: bytes)
    guard let event = value.object else { throw .notAnEvent }
    switch try EventEnvelope.kind(event["object"]?.string) {
    case .snapshot: self = .snapshot(try StripeEvent(value, fit: fit))
    case .thin: self = .thin(try ThinEvent(event, fit: fit))
    }
  }
}
