/// `Codable` to and from `JSONValue`.
///
/// - Members stand in the order in which they are encoded: for synthesised conformances the order of declaration.
/// - Names are converted to snake case (`customerID` is `customer_id`); keys of dictionaries are data and stay.
/// - A nil member is left out when encoding; when decoding an optional member, `null` and absence are both nil.
/// - A `Date` is a text by RFC 3339 in whole seconds, `[UInt8]` and `Data` are Base64, `URL` is a text, `JSONValue` and
///   `JSONObject` stand for themselves.
/// - Numbers are exact: a decimal is no integer, and an integer beyond the range of the type is refused.
public enum JSONCoding {
  /// Encodes any value. Throws `EncodingError` for a number that JSON cannot express, or what the value's own
  /// `encode(to:)` throws.
  public static func encode(_ value: some Encodable) throws -> JSONValue {
    try ValueEncoder.box(value, path: [], keepsKeys: false)
  }

  /// Encodes any value to compact JSON.
  public static func encodedBytes(_ value: some Encodable) throws -> [UInt8] {
    try encode(value).encoded()
  }

  /// Decodes a value. With `.reject` every member of every object that the type never asks for is a failure, named with
  /// its full path; a value decoded as `JSONValue`, `JSONObject` or a dictionary takes all members.
  public static func decode<T: Decodable>(
    _ type: T.Type, from value: JSONValue, unknownFields: UnknownFields = .allow
  ) throws(JSONDecodingFailure) -> T {
    let ledger = unknownFields == .reject ? KeyLedger() : nil
    let decoder = ValueDecoder(value: value, path: .root, keepsKeys: false, ledger: ledger)
    let decoded: T
    do {
      decoded = try decoder.unbox(type)
    } catch {
      throw JSONDecodingFailure(anyError: error)
    }
    if let unknown = ledger?.firstUnknown { throw JSONDecodingFailure(path: unknown, reason: .unknown) }
    return decoded
  }

  /// Parses and decodes a document. Throws `JSONParsingError` or `JSONDecodingFailure`.
  public static func decode<T: Decodable>(
    _ type: T.Type, from bytes: [UInt8], unknownFields: UnknownFields = .allow
  ) throws -> T {
    try decode(type, from: JSONValue(parsing: bytes), unknownFields: unknownFields)
  }
}

/// A dictionary, whose keys are data and are not converted.
protocol KeepsKeys {}

extension Dictionary: KeepsKeys {}

/// A key of the two coders that is no case of any enumeration.
struct PlainKey: CodingKey {
  let stringValue: String
  let intValue: Int?

  init(_ text: String) {
    stringValue = text
    intValue = nil
  }

  init(index: Int) {
    stringValue = String(index)
    intValue = index
  }

  init?(stringValue: String) { self.init(stringValue) }

  init?(intValue: Int) { self.init(index: intValue) }
}
