/// `JSONCoding` takes a `JSONValue` as it stands. These conformances serve it in any other coder, where numbers that are
/// no 64 bit integers go through `Double` and the order of members is the coder's.
extension JSONValue: Codable {
  /// Reads whatever value comes.
  public init(from decoder: any Decoder) throws {
    if let direct = decoder as? ValueDecoder {
      self = try direct.unbox(JSONValue.self)
      return
    }
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let value = try? container.decode(Bool.self) {
      self = .bool(value)
    } else if let value = try? container.decode(Int64.self) {
      self = .integer(value)
    } else if let value = try? container.decode(Double.self) {
      self = .decimal(value.description)
    } else if let value = try? container.decode(String.self) {
      self = .string(value)
    } else if let value = try? container.decode([JSONValue].self) {
      self = .array(value)
    } else {
      self = .object(try container.decode(JSONObject.self))
    }
  }

  /// Writes the value as it is.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .null: try container.encodeNil()
    case .bool(let value): try container.encode(value)
    case .integer(let value): try container.encode(value)
    case .decimal(let text): try container.encode(Double(text) ?? 0)
    case .string(let text): try container.encode(text)
    case .array(let elements): try container.encode(elements)
    case .object(let object): try container.encode(object)
    }
  }
}

/// As for `JSONValue`.
extension JSONObject: Codable {
  /// Reads whatever value comes.
  public init(from decoder: any Decoder) throws {
    if let direct = decoder as? ValueDecoder {
      self = try direct.unbox(JSONObject.self)
      return
    }
    let container = try decoder.container(keyedBy: PlainKey.self)
    self.init(try container.allKeys.map { ($0.stringValue, try container.decode(JSONValue.self, forKey: $0)) })
  }

  /// Writes the value as it is.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: PlainKey.self)
    for (key, value) in elements { try container.encode(value, forKey: PlainKey(key)) }
  }
}
