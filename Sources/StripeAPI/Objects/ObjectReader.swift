import Foundation
package import Identity
package import JSON

/// Why a JSON object is not the expected Stripe object.
public struct StripeObjectError: Error, Hashable, CustomStringConvertible {
  /// The kind that was expected, Stripe's `object` word.
  public let object: String
  /// The field that is missing or of the wrong type.
  public let field: String

  public var description: String { "\(object): field '\(field)' is missing or of an unexpected type" }
}

/// Reads one Stripe object: leniently where Stripe varies (a field absent, null, an id or the expanded object), and strictly
/// where a decision depends on it.
package struct ObjectReader {
  let object: JSONObject
  let kind: String

  init(_ value: JSONValue, kind: String) throws(StripeObjectError) {
    guard let object = value.object else { throw StripeObjectError(object: kind, field: "object") }
    self.object = object
    self.kind = kind
  }

  subscript(_ field: String) -> JSONValue? {
    guard let value = object[field], !value.isNull else { return nil }
    return value
  }

  /// The id in a field that contains an id or, if expanded, the object with that id.
  func id<Subject>(_ field: String, as type: ID<Subject>.Type = ID<Subject>.self) -> ID<Subject>? {
    Self.id(self[field])
  }

  package static func id<Subject>(_ value: JSONValue?, as type: ID<Subject>.Type = ID<Subject>.self) -> ID<Subject>? {
    (value?.saying ?? value?["id"]?.saying).map { ID($0) }
  }

  func requiredID<Subject>(
    _ field: String, as type: ID<Subject>.Type = ID<Subject>.self
  ) throws(StripeObjectError) -> ID<Subject> {
    guard let id: ID<Subject> = id(field) else { throw missing(field) }
    return id
  }

  func requiredString(_ field: String) throws(StripeObjectError) -> String {
    guard let text = string(field) else { throw missing(field) }
    return text
  }

  /// A text that is not blank; a blank one counts as absent.
  func string(_ field: String) -> String? { self[field]?.saying }
  func integer(_ field: String) -> Int64? { self[field]?.integer }
  /// An amount of money in the smallest unit of its currency. Stripe's have at most twelve digits; larger values than fifteen
  /// digits are limited to that, so that thousands of them can be added.
  func amount(_ field: String) -> Int64? {
    integer(field).map { min(max($0, -Self.largestAmount), Self.largestAmount) }
  }
  /// How many were sold. Values above a thousand million are limited to that and negative ones to zero, so that quantities
  /// can be added and subtracted.
  func quantity(_ field: String) -> Int? { integer(field).map(Self.held) }
  static func held(_ quantity: Int64) -> Int { Int(min(max(quantity, 0), 1_000_000_000)) }
  static let largestAmount: Int64 = 1_000_000_000_000_000
  /// A text that is not blank; for an expanded object, its id.
  func text(_ field: String) -> String? { string(field) ?? self[field]?["id"]?.saying }
  func bool(_ field: String) -> Bool { self[field]?.bool ?? false }
  func date(_ field: String) -> Date? { Self.date(self[field]) }

  /// Whole seconds since 1970. A moment before 1970 or after the year 9999 is read as none.
  static func date(_ value: JSONValue?) -> Date? {
    guard let seconds = value?.integer, (0...latestSecond).contains(seconds) else { return nil }
    return Date(timeIntervalSince1970: TimeInterval(seconds))
  }
  private static let latestSecond: Int64 = 253_402_300_799

  /// The elements of an embedded list (`{"object": "list", "data": […], "has_more": …}`).
  func list(_ field: String) -> (elements: [JSONValue], hasMore: Bool) {
    let list = self[field]
    return (list?["data"]?.array ?? [], list?["has_more"]?.bool ?? false)
  }

  /// Metadata is a flat map of strings (Stripe docs, "Metadata").
  var metadata: [String: String] {
    (self["metadata"]?.object?.elements ?? []).reduce(into: [:]) { result, pair in
      if let text = pair.value.string { result[pair.key] = text }
    }
  }

  func missing(_ field: String) -> StripeObjectError { StripeObjectError(object: kind, field: field) }
}
