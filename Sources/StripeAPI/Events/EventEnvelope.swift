public import Foundation
public import Identity
import JSON

/// The few fields of an event that its receiver needs before it stores the body: who, what, when. Snapshot events and thin
/// events have the same envelope, so that one change has one id in either form.
///
/// One strict pass over the body finds them without building the rest, and refuses whatever `StripeEvent(parsing:)` would
/// refuse as JSON. Texts are limited to printable ASCII of at most 255 characters, so that any of them can be used unchanged
/// in a row, a header or a log line (Stripe's ids are at most 255 characters, see "Upgrades" in its docs).
public struct EventEnvelope: Hashable, Sendable {
  /// The same on every redelivery and at every endpoint. For a thin event, the id of the snapshot event about the same
  /// change, if it names one.
  public let id: Stripe.EventID
  /// For a thin event, without the leading `v1.`.
  public let type: StripeEventType
  /// The merchant; nil on events of the developer's own account.
  public let account: Stripe.AccountID?
  public let livemode: Bool
  /// When Stripe made the event, to the second.
  public let created: Date
  /// Whether it says nothing about its object's state.
  public let isThin: Bool
  /// The id of the object the event is about; nil when the snapshot has none.
  public let objectID: String?

  /// Reads the body of a delivery.
  public init(scanning body: some Collection<UInt8>) throws(StripeEventError) {
    let found: [JSONValue?]
    do { found = try Self.scanner.scan(body).values } catch { throw .notJSON(error) }
    let kind = try Self.kind(found[0]?.string)
    guard let livemode = found[3]?.bool else { throw .missing("livemode") }
    self.livemode = livemode
    isThin = kind == .thin
    let objectID: JSONValue?
    switch kind {
    case .snapshot:
      id = try Self.eventID(found[1]?.string)
      account = try Self.accountID(found[2], former: found[7])
      type = try Self.type(found[4]?.string)
      created = try Self.second(found[5]?.integer)
      objectID = found[6]
    case .thin:
      id = try ThinEvent.key(ownID: found[1]?.string, snapshotEvent: found[9]?.string)
      account = try ThinEvent.account(found[8])
      type = try ThinEvent.type(found[4]?.string)
      created = try ThinEvent.second(found[5]?.string)
      objectID = found[10]
    }
    self.objectID = objectID?.string.flatMap { Stripe.isPlain($0) ? $0 : nil }
  }

  /// `values` come in this order.
  private static let scanner = JSONScanner(
    "object", "id", "account", "livemode", "type", "created", "data.object.id", formerAccountField, "context",
    "snapshot_event", "related_object.id")

  /// The name of `account` before 2017-05-25 (Stripe changelog). Endpoints of such a version still get it.
  static let formerAccountField = "user_id"

  /// The end of the year 9999.
  static let latestTime: Int64 = 253_402_300_799

  /// The form in which an event describes its object.
  enum Kind { case snapshot, thin }

  /// - Parameter object: Stripe's word for the kind of the body.
  static func kind(_ object: String?) throws(StripeEventError) -> Kind {
    switch object {
    case "event": .snapshot
    case "v2.core.event": .thin
    default: throw .notAnEvent
    }
  }

  static func type(_ text: String?) throws(StripeEventError) -> StripeEventType {
    guard let text, Stripe.isPlain(text) else { throw .missing("type") }
    return StripeEventType(text)
  }

  static func second(_ created: Int64?) throws(StripeEventError) -> Date {
    guard let created, (0...latestTime).contains(created) else { throw .missing("created") }
    return Date(timeIntervalSince1970: TimeInterval(created))
  }

  static func eventID(_ text: String?) throws(StripeEventError) -> Stripe.EventID {
    guard let text, Stripe.isPlain(text) else { throw .missing("id") }
    return Stripe.EventID(text)
  }

  static func accountID(_ value: JSONValue?, former: JSONValue?) throws(StripeEventError) -> Stripe.AccountID? {
    guard let value = [value, former].lazy.compactMap({ $0 }).first(where: { !$0.isNull }) else { return nil }
    guard let text = value.string, Stripe.isPlain(text) else { throw .missing("account") }
    return Stripe.AccountID(text)
  }

}
