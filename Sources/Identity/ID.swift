/// The identifier of one kind of thing, so that the id of one kind cannot be passed where another is meant.
///
/// `Subject` only names the kind and is never instantiated:
///
///     public enum CustomerTag {}
///     public typealias CustomerID = ID<CustomerTag>
///
/// The text is opaque: it is compared and stored exactly as it came, and its format is never checked here.
public struct ID<Subject>: RawRepresentable, Sendable {
  /// The identifier as text, unchanged.
  public let rawValue: String

  /// Wraps a text. Any text is accepted.
  public init(rawValue: String) {
    self.rawValue = rawValue
  }

  /// Wraps a text. Any text is accepted.
  public init(_ string: String) {
    self.rawValue = string
  }
}

extension ID: Hashable {
  /// Two identifiers are equal when their bytes are: canonical equivalence of Unicode would let two different
  /// identifiers of a foreign system pass for one.
  public static func == (left: Self, right: Self) -> Bool {
    left.rawValue.utf8.elementsEqual(right.rawValue.utf8)
  }

  public func hash(into hasher: inout Hasher) {
    var text = rawValue
    text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
  }
}

extension ID: Comparable {
  /// The order of the UTF-8 bytes, which is the order a database gives under the "C" collation.
  public static func < (left: Self, right: Self) -> Bool {
    left.rawValue.utf8.lexicographicallyPrecedes(right.rawValue.utf8)
  }
}

extension ID: Codable {
  /// Reads a single string.
  public init(from decoder: any Decoder) throws {
    self.rawValue = try decoder.singleValueContainer().decode(String.self)
  }

  /// Writes a single string.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(rawValue)
  }
}

/// A dictionary keyed by identifiers is coded as an object, not as a list of pairs.
extension ID: CodingKeyRepresentable {}

extension ID: CustomStringConvertible {
  /// The identifier itself.
  public var description: String { rawValue }
}

extension ID: ExpressibleByStringLiteral {
  public init(stringLiteral value: String) {
    self.rawValue = value
  }
}
