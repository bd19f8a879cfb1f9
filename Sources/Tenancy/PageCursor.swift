import Cryptography
package import ServerKit

/// Where a page of a list ends: the sort key of its last element, as a text without meaning for callers.
package enum PageCursor {
  package static func encode(_ key: String) -> String { Base64.encodeURL(Array(key.utf8)) }

  package static func decode(_ cursor: String) -> String? {
    Base64.decodeURL(cursor).flatMap { String(validating: $0, as: UTF8.self) }
  }
}

/// The sort key of lists that are newest first: a time, and an id to order elements of the same time.
package struct TimeCursor: Hashable, Sendable {
  /// Since 1970; whole, so that no rounding skips or repeats an element.
  package let microseconds: Int64
  package let id: String

  package var text: String { PageCursor.encode("\(microseconds) \(id)") }

  package init(microseconds: Int64, id: String) {
    self.microseconds = microseconds
    self.id = id
  }

  package init?(_ text: String) {
    guard let parts = PageCursor.decode(text)?.split(separator: " ", maxSplits: 1), parts.count == 2,
      let microseconds = Int64(parts[0]), (0...4_000_000_000_000_000).contains(microseconds),
      StripeIDText.isPlausible(String(parts[1]))
    else { return nil }
    self.init(microseconds: microseconds, id: String(parts[1]))
  }
}

/// The requested part of a list.
package struct PageRequest: Sendable {
  package let limit: Int
  private let cursor: String?

  package static let defaultLimit = 25

  package init(_ query: QueryReader) throws(APIFailure) {
    limit = try query.int("limit", in: 1...100, default: Self.defaultLimit)
    cursor = try query.string("cursor")
  }

  /// The cursor of a list that is newest first.
  package func time() throws(APIFailure) -> TimeCursor? {
    guard let cursor else { return nil }
    guard let time = TimeCursor(cursor) else { throw Self.invalid }
    return time
  }

  /// The cursor of a list in the order of a text.
  package func text() throws(APIFailure) -> String? {
    guard let cursor else { return nil }
    guard let text = PageCursor.decode(cursor), !text.isEmpty, !text.utf8.contains(0) else { throw Self.invalid }
    return text
  }

  /// The cursor of a list in the order of a number.
  package func number() throws(APIFailure) -> Int64? {
    guard let text = try text() else { return nil }
    guard let number = Int64(text) else { throw Self.invalid }
    return number
  }

  private static let invalid = APIFailure.invalidQuery(field: "cursor", "is not a next_cursor of this list")
}

extension Array {
  /// The page, from one element more than its limit, and the cursor of the next.
  package func page(_ limit: Int, cursor: (Element) -> String) -> (items: [Element], next: String?) {
    guard count > limit else { return (self, nil) }
    let items = Array(prefix(limit))
    return (items, items.last.map(cursor))
  }
}
