public import Foundation
public import Hummingbird
import JSON

/// Reads typed query parameters and form fields. Unknown parameters are ignored; an empty value counts as absent; a parameter
/// with one value that comes twice is refused.
///
/// Every error names the parameter: 400 `INVALID_QUERY` for a query, 422 `VALIDATION_ERROR` for a form.
public struct QueryReader: Sendable {
  private let items: [(name: String, rawValue: Substring)]
  private let isForm: Bool

  /// - Parameter query: the text after the question mark, still encoded.
  public init(query: String) { self.init(query, isForm: false) }

  /// - Parameter form: a body of type `application/x-www-form-urlencoded`.
  public init(form: String) { self.init(form, isForm: true) }

  private init(_ text: String, isForm: Bool) {
    self.isForm = isForm
    items = text.split(separator: "&").map { item in
      guard let equals = item.firstIndex(of: "=") else {
        return (PercentCoding.decode(item, plusIsSpace: true) ?? String(item), "")
      }
      let name = item[..<equals]
      return (PercentCoding.decode(name, plusIsSpace: true) ?? String(name), item[item.index(after: equals)...])
    }
  }

  /// The names present, in order, repeated names repeated.
  public var names: [String] { items.map(\.name) }

  /// All values of a parameter that may be repeated, empty ones left out.
  public func strings(_ name: String) throws(APIFailure) -> [String] {
    var values: [String] = []
    for item in items where item.name == name && !item.rawValue.isEmpty {
      guard let value = PercentCoding.decode(item.rawValue, plusIsSpace: true) else {
        throw failure(name, "is not valid percent-encoded UTF-8")
      }
      guard !value.utf8.contains(0) else { throw failure(name, "must not contain NUL") }
      values.append(value)
    }
    return values
  }

  /// The value of a parameter, or nil.
  ///
  /// - Parameter maximumLength: in bytes; no parameter needs to be longer than a cursor or an id.
  public func string(_ name: String, maximumLength: Int = 1024) throws(APIFailure) -> String? {
    let values = try strings(name)
    guard values.count <= 1 else { throw failure(name, "is given \(values.count) times") }
    guard let value = values.first else { return nil }
    guard value.utf8.count <= maximumLength else { throw failure(name, "is longer than \(maximumLength) bytes") }
    return value
  }

  /// The value of a parameter that must be there.
  public func required(_ name: String, maximumLength: Int = 1024) throws(APIFailure) -> String {
    guard let value = try string(name, maximumLength: maximumLength) else { throw failure(name, "is required") }
    return value
  }

  /// A whole number within `range`, or nil.
  public func int(_ name: String, in range: ClosedRange<Int>) throws(APIFailure) -> Int? {
    guard let text = try string(name) else { return nil }
    guard let value = Int(text), range.contains(value) else {
      throw failure(name, "must be a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }

  /// A whole number within `range`, or the default.
  public func int(_ name: String, in range: ClosedRange<Int>, default fallback: Int) throws(APIFailure) -> Int {
    try int(name, in: range) ?? fallback
  }

  /// `true` or `false`, or nil.
  public func bool(_ name: String) throws(APIFailure) -> Bool? {
    switch try string(name) {
    case nil: return nil
    case "true", "1": return true
    case "false", "0": return false
    default: throw failure(name, "must be true or false")
    }
  }

  /// An RFC 3339 time with any offset or fraction; without an offset it is UTC. Nil when absent.
  public func date(_ name: String) throws(APIFailure) -> Date? {
    guard let text = try string(name) else { return nil }
    // If the client did not encode the plus of an offset, it became a space. No time ends in a space and an offset.
    let isUnencoded = text.dropLast(5).last == " "
    let time = isUnencoded ? "\(text.dropLast(6))+\(text.suffix(5))" : text
    guard let date = RFC3339.date(from: time) else {
      throw failure(name, "must be a time such as 2026-01-31T12:00:00Z")
    }
    return date
  }

  /// One of the values of an enumeration, or nil.
  public func value<T: RawRepresentable<String> & CaseIterable>(
    _ name: String, as type: T.Type = T.self
  ) throws(APIFailure) -> T? {
    guard let text = try string(name) else { return nil }
    guard let value = T(rawValue: text) else {
      throw failure(name, "must be one of " + T.allCases.map(\.rawValue).joined(separator: ", "))
    }
    return value
  }

  private func failure(_ name: String, _ problem: String) -> APIFailure {
    isForm ? .validation(field: name, problem) : .invalidQuery(field: name, problem)
  }
}

extension Request {
  /// The query parameters of this request.
  public var query: QueryReader { QueryReader(query: uri.query ?? "") }
}
