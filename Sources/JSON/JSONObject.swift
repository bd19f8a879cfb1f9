/// The members of a JSON object, in order. A key occurs once: of duplicates the last value wins, in the first's place.
///
/// Keys are compared byte by byte. (Swift's own comparison takes canonically equivalent texts for equal, so that a key
/// spelled with the Kelvin sign would pass for one with a K.)
///
/// Equality disregards the order of the members, as JSON does.
public struct JSONObject: Sendable {
  /// The members, in order.
  public private(set) var elements: [(key: String, value: JSONValue)] = []

  /// Positions by key; kept only once there are so many members that a linear search would be slower.
  private var positions: [ExactKey: Int]?

  private static let linearSearchLimit = 16

  /// An object without members.
  public init() {}

  /// An object of these members.
  public init(_ pairs: [(String, JSONValue)]) {
    elements.reserveCapacity(pairs.count)
    for (key, value) in pairs { self[key] = value }
  }

  /// The value of a key, or nil when there is none. Setting replaces in place or appends; setting nil removes.
  /// (To store JSON's null, set `.null` or `JSONValue.null`; a bare `nil` removes.)
  public subscript(key: String) -> JSONValue? {
    get { position(of: key).map { elements[$0].value } }
    set {
      switch (position(of: key), newValue) {
      case (let position?, let value?): elements[position].value = value
      case (nil, let value?): append(key, value)
      case (let position?, nil):
        elements.remove(at: position)
        positions = nil
        indexIfLarge()
      case (nil, nil): break
      }
    }
  }

  /// The keys, in order.
  public var keys: [String] { elements.map(\.key) }

  /// The number of members.
  public var count: Int { elements.count }

  /// Whether there are no members.
  public var isEmpty: Bool { elements.isEmpty }

  private func position(of key: String) -> Int? {
    if let positions { return positions[ExactKey(key)] }
    return elements.firstIndex { ExactKey($0.key) == ExactKey(key) }
  }

  private mutating func append(_ key: String, _ value: JSONValue) {
    elements.append((key, value))
    if positions != nil {
      positions?[ExactKey(key)] = elements.count - 1
    } else {
      indexIfLarge()
    }
  }

  private mutating func indexIfLarge() {
    guard elements.count > Self.linearSearchLimit else { return }
    positions = Dictionary(uniqueKeysWithValues: elements.enumerated().map { (ExactKey($1.key), $0) })
  }
}

/// A text that is equal to another only when their UTF-8 bytes are.
private struct ExactKey: Hashable {
  let text: String

  init(_ text: String) { self.text = text }

  static func == (left: Self, right: Self) -> Bool {
    guard left.text.utf8.count == right.text.utf8.count else { return false }
    return left.text.utf8.elementsEqual(right.text.utf8)
  }

  func hash(into hasher: inout Hasher) {
    var text = text
    text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
  }
}

extension JSONObject: Hashable {
  /// Whether both have the same members, in whatever order.
  public static func == (left: Self, right: Self) -> Bool {
    left.count == right.count && left.elements.allSatisfy { right[$0.key] == $0.value }
  }

  public func hash(into hasher: inout Hasher) {
    // Added up, so that the order does not matter.
    var sum = 0
    for (key, value) in elements {
      var member = Hasher()
      ExactKey(key).hash(into: &member)
      value.hash(into: &member)
      sum &+= member.finalize()
    }
    hasher.combine(sum)
  }
}

extension JSONObject: Sequence {
  /// The members, in order.
  public func makeIterator() -> IndexingIterator<[(key: String, value: JSONValue)]> { elements.makeIterator() }
}

extension JSONObject: ExpressibleByDictionaryLiteral {
  /// Members in the order of the literal.
  public init(dictionaryLiteral elements: (String, JSONValue)...) { self.init(elements) }
}

extension JSONObject: CustomStringConvertible {
  /// The JSON text. It holds the content: keep it out of logs.
  public var description: String { JSONValue.object(self).text() }
}
