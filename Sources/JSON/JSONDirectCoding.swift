internal import Foundation

/// A type that is one JSON value without asking its own `encode(to:)`.
protocol DirectlyEncodable {
  func jsonValue(path: [any CodingKey]) throws -> JSONValue
}

/// A type that is read from one JSON value without asking its own `init(from:)`.
protocol DirectlyDecodable {
  init(json: JSONValue, path: DecodingPath) throws
}

private func mismatch(_ expected: String, _ value: JSONValue, _ path: DecodingPath) -> JSONDecodingFailure {
  JSONDecodingFailure(path: path.text, reason: .wrongType(expected: expected, found: value.kind))
}

private func text(_ expected: String, _ value: JSONValue, _ path: DecodingPath) throws -> String {
  guard case .string(let text) = value else { throw mismatch(expected, value, path) }
  return text
}

// MARK: - Texts and booleans

extension String: DirectlyEncodable, DirectlyDecodable {
  func jsonValue(path: [any CodingKey]) -> JSONValue { .string(self) }

  init(json: JSONValue, path: DecodingPath) throws { self = try text("a string", json, path) }
}

extension Bool: DirectlyEncodable, DirectlyDecodable {
  func jsonValue(path: [any CodingKey]) -> JSONValue { .bool(self) }

  init(json: JSONValue, path: DecodingPath) throws {
    guard case .bool(let value) = json else { throw mismatch("a boolean", json, path) }
    self = value
  }
}

// MARK: - Numbers

private protocol DirectInteger: FixedWidthInteger, DirectlyEncodable, DirectlyDecodable {}

extension DirectInteger {
  func jsonValue(path: [any CodingKey]) -> JSONValue {
    Int64(exactly: self).map { .integer($0) } ?? .decimal(String(self))
  }

  init(json: JSONValue, path: DecodingPath) throws {
    switch json {
    case .integer(let value):
      if let exact = Self(exactly: value) {
        self = exact
        return
      }
    case .decimal(let text):
      // An integer beyond 64 bits has neither fraction nor exponent; what has one is no integer.
      guard text.utf8.allSatisfy({ $0 == UInt8(ascii: "-") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
      else { throw mismatch("an integer", json, path) }
      if let exact = Self(text) {
        self = exact
        return
      }
    default: throw mismatch("an integer", json, path)
    }
    throw JSONDecodingFailure(path: path.text, reason: .invalid("must be from \(Self.min) to \(Self.max)"))
  }
}

extension Int: DirectInteger {}
extension Int8: DirectInteger {}
extension Int16: DirectInteger {}
extension Int32: DirectInteger {}
extension Int64: DirectInteger {}
extension UInt: DirectInteger {}
extension UInt8: DirectInteger {}
extension UInt16: DirectInteger {}
extension UInt32: DirectInteger {}
extension UInt64: DirectInteger {}

extension Double: DirectlyEncodable, DirectlyDecodable {
  func jsonValue(path: [any CodingKey]) throws -> JSONValue {
    guard isFinite else {
      throw EncodingError.invalidValue(
        self, .init(codingPath: path, debugDescription: "JSON has no number for infinity and NaN"))
    }
    // Up to 2^53 every whole value is exact, and is written without fraction.
    if self == rounded(), magnitude <= 9_007_199_254_740_992 { return .integer(Int64(self)) }
    return .decimal(description)
  }

  init(json: JSONValue, path: DecodingPath) throws {
    guard let value = json.double else { throw mismatch("a number", json, path) }
    guard value.isFinite else {
      throw JSONDecodingFailure(path: path.text, reason: .invalid("is too large a number"))
    }
    self = value
  }
}

extension Float: DirectlyEncodable, DirectlyDecodable {
  func jsonValue(path: [any CodingKey]) throws -> JSONValue {
    guard isFinite, self != rounded() else { return try Double(self).jsonValue(path: path) }
    return .decimal(description)
  }

  init(json: JSONValue, path: DecodingPath) throws {
    let value = Float(try Double(json: json, path: path))
    guard value.isFinite else {
      throw JSONDecodingFailure(path: path.text, reason: .invalid("is too large a number"))
    }
    self = value
  }
}

// MARK: - JSON itself

extension JSONValue: DirectlyEncodable, DirectlyDecodable {
  func jsonValue(path: [any CodingKey]) -> JSONValue { self }

  init(json: JSONValue, path: DecodingPath) { self = json }
}

extension JSONObject: DirectlyEncodable, DirectlyDecodable {
  func jsonValue(path: [any CodingKey]) -> JSONValue { .object(self) }

  init(json: JSONValue, path: DecodingPath) throws {
    guard case .object(let object) = json else { throw mismatch("an object", json, path) }
    self = object
  }
}

// MARK: - Foundation's types and bytes

extension Date: DirectlyEncodable, DirectlyDecodable {
  func jsonValue(path: [any CodingKey]) -> JSONValue { .string(RFC3339.string(from: self)) }

  init(json: JSONValue, path: DecodingPath) throws {
    guard let date = RFC3339.date(from: try text("a date and time (a string)", json, path)) else {
      throw JSONDecodingFailure(
        path: path.text, reason: .invalid("must be a date and time by RFC 3339, such as 2026-03-24T09:05:00Z"))
    }
    self = date
  }
}

extension Data: DirectlyEncodable, DirectlyDecodable {
  func jsonValue(path: [any CodingKey]) -> JSONValue { .string(base64EncodedString()) }

  init(json: JSONValue, path: DecodingPath) throws {
    guard let data = Data(base64Encoded: try text("Base64 (a string)", json, path)) else {
      throw JSONDecodingFailure(path: path.text, reason: .invalid("must be padded Base64"))
    }
    self = data
  }
}

extension Array: DirectlyEncodable where Element == UInt8 {
  func jsonValue(path: [any CodingKey]) -> JSONValue { Data(self).jsonValue(path: path) }
}

extension Array: DirectlyDecodable where Element == UInt8 {
  init(json: JSONValue, path: DecodingPath) throws { self = Array(try Data(json: json, path: path)) }
}

extension URL: DirectlyEncodable, DirectlyDecodable {
  func jsonValue(path: [any CodingKey]) -> JSONValue { .string(absoluteString) }

  init(json: JSONValue, path: DecodingPath) throws {
    guard let url = URL(string: try text("a URL (a string)", json, path)) else {
      throw JSONDecodingFailure(path: path.text, reason: .invalid("must be a URL"))
    }
    self = url
  }
}
