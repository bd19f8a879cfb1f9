import HTTPTypes
public import Hummingbird
public import JSON
import NIOCore

extension Request {
  /// The body, read completely.
  ///
  /// - Parameter limit: the most bytes that are accepted, 1 MiB by default.
  /// - Throws: ``APIFailure/payloadTooLarge(limit:)``, by the declared length if there is one, before anything is read. The
  ///   connection stays usable, since the rest of the body is skipped after the answer.
  // Swift 6.3.1 cannot optimize a route that this was inlined into: its compiler ends with a crash.
  @inline(never)
  public func bodyBytes(limit: Int = 1 << 20) async throws -> [UInt8] {
    if let declared = headers[.contentLength].flatMap({ Int($0) }), declared > limit {
      throw APIFailure.payloadTooLarge(limit: limit)
    }
    do {
      return Array(buffer: try await body.collect(upTo: limit))
    } catch is NIOTooManyBytesError {
      throw APIFailure.payloadTooLarge(limit: limit)
    }
  }

  /// The body as a value, strictly: a field that the type does not ask for is refused.
  ///
  /// - Throws: 400 `INVALID_JSON` for text that is not JSON, an unknown field or a wrong type, naming the field, what
  ///   was expected and what came; 422 `VALIDATION_ERROR` for a required field that is missing and for a value of the
  ///   right type that cannot be used; 413 beyond `limit`.
  // Swift 6.3.1 cannot optimize a route that this was inlined into: its compiler ends with a crash.
  @inline(never)
  public func decodeBody<T: Decodable>(_ type: T.Type = T.self, limit: Int = 1 << 20) async throws -> T {
    try JSONBody.decode(type, from: try await bodyBytes(limit: limit))
  }

  /// The same for a body that may be left out: nil when there is none.
  public func decodeBodyIfPresent<T: Decodable>(_ type: T.Type = T.self, limit: Int = 1 << 20) async throws -> T? {
    let bytes = try await bodyBytes(limit: limit)
    return bytes.isEmpty ? nil : try JSONBody.decode(type, from: bytes)
  }

  /// The body of an HTML form (`application/x-www-form-urlencoded`).
  ///
  /// - Throws: 413 beyond `limit`. The reader's own errors are 422 `VALIDATION_ERROR`.
  public func form(limit: Int = 1 << 16) async throws -> QueryReader {
    let bytes = try await bodyBytes(limit: limit)
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw APIFailure.validation("the form is not UTF-8")
    }
    return QueryReader(form: text)
  }
}

/// Decodes request bodies and reports what is wrong with them.
public enum JSONBody {
  /// See ``Hummingbird/Request/decodeBody(_:limit:)``; for bytes that were already read.
  public static func decode<T: Decodable>(_ type: T.Type = T.self, from bytes: [UInt8]) throws(APIFailure) -> T {
    guard !bytes.isEmpty else { throw .invalidJSON("the body is empty") }
    try refuseNUL(in: bytes)
    do {
      return try JSONCoding.decode(type, from: bytes, unknownFields: .reject)
    } catch let failure as JSONDecodingFailure {
      throw apiFailure(for: failure)
    } catch let error as JSONParsingError {
      throw .invalidJSON("\(error)")
    } catch {
      throw .invalidJSON("the body could not be read")
    }
  }

  /// For the fields of a body that was already read.
  public static func decode<T: Decodable>(
    _ type: T.Type = T.self, from fields: JSONObject
  ) throws(APIFailure) -> T {
    do {
      return try JSONCoding.decode(type, from: .object(fields), unknownFields: .reject)
    } catch {
      throw apiFailure(for: error)
    }
  }

  /// Refuses texts with the character NUL anywhere: they cannot be stored, and no text needs it.
  ///
  /// - Throws: 422 `VALIDATION_ERROR` that names the field.
  public static func refuseNUL(in bytes: [UInt8]) throws(APIFailure) {
    // JSON can only write it like this. A body that is not JSON is refused for that reason.
    guard bytes.firstRange(of: nul) != nil, let body = try? JSONValue(parsing: bytes),
      let field = fieldWithNUL(in: body, at: "")
    else { return }
    throw .validation(field: field, "must not contain NUL")
  }

  private static let nul = Array(#"\u0000"#.utf8)

  private static func fieldWithNUL(in value: JSONValue, at path: String) -> String? {
    switch value {
    case .string(let text): return text.utf8.contains(0) ? (path.isEmpty ? "the body" : path) : nil
    case .array(let elements):
      return elements.enumerated().lazy.compactMap { fieldWithNUL(in: $1, at: "\(path)[\($0)]") }.first
    case .object(let object):
      return object.elements.lazy.compactMap { key, value in
        if key.utf8.contains(0) { return "a name in \(path.isEmpty ? "the body" : path)" }
        return fieldWithNUL(in: value, at: path.isEmpty ? key : "\(path).\(key)")
      }.first
    default: return nil
    }
  }

  /// The answer for a body that is JSON but not of the expected shape.
  public static func apiFailure(for failure: JSONDecodingFailure) -> APIFailure {
    switch failure.reason {
    case .missing, .invalid: .validation("\(failure)")
    case .unknown, .wrongType: .invalidJSON("\(failure)")
    }
  }
}
