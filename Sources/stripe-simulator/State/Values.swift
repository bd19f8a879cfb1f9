import JSON

/// The fields of one simulated object. Keys that begin with an underscore are the simulator's own notes and never leave it.
typealias Fields = JSONObject

func str(_ value: String?) -> JSONValue { value.map { .string($0) } ?? .null }
func int(_ value: Int64?) -> JSONValue { value.map { .integer($0) } ?? .null }
func flag(_ value: Bool) -> JSONValue { .bool(value) }
func strings(_ values: [String]) -> JSONValue { .array(values.map { .string($0) }) }

/// An object with its keys in the order written.
func object(_ pairs: KeyValuePairs<String, JSONValue>) -> JSONValue { .object(fields(pairs)) }
func fields(_ pairs: KeyValuePairs<String, JSONValue>) -> Fields { Fields(pairs.map { ($0.key, $0.value) }) }
/// The same under a name that a member called `fields` does not hide.
func record(_ pairs: KeyValuePairs<String, JSONValue>) -> Fields { fields(pairs) }

extension JSONValue {
  var asText: String? {
    if case .string(let value) = self { return value }
    return nil
  }

  /// A whole number, also when it is written as text: form bodies know only text.
  var asInt: Int64? {
    switch self {
    case .integer(let value): return value
    case .string(let value): return Int64(value)
    default: return nil
    }
  }

  var asDouble: Double? {
    switch self {
    case .integer(let value): return Double(value)
    case .decimal(let value): return Double(value)
    case .string(let value): return Double(value)
    default: return nil
    }
  }

  /// A truth value, also when it is written as text.
  var asBool: Bool? {
    switch self {
    case .bool(let value): return value
    case .string("true"): return true
    case .string("false"): return false
    default: return nil
    }
  }

  var asArray: [JSONValue]? {
    if case .array(let value) = self { return value }
    return nil
  }

  var asObject: Fields? {
    if case .object(let value) = self { return value }
    return nil
  }

  var isAbsent: Bool {
    if case .null = self { return true }
    return false
  }
}

extension JSONObject {
  func text(_ key: String) -> String? { self[key]?.asText }
  func number(_ key: String) -> Int64? { self[key]?.asInt }
  func real(_ key: String) -> Double? { self[key]?.asDouble }
  func bool(_ key: String) -> Bool { self[key]?.asBool ?? false }
  func object(_ key: String) -> Fields? { self[key]?.asObject }
  func array(_ key: String) -> [JSONValue] { self[key]?.asArray ?? [] }
  func texts(_ key: String) -> [String] { array(key).compactMap(\.asText) }

  /// Without the simulator's own notes.
  var visible: Fields {
    guard keys.contains(where: { $0.hasPrefix("_") }) else { return self }
    var result = Fields([])
    for key in keys where !key.hasPrefix("_") { result[key] = self[key] }
    return result
  }

  /// Sets several keys at once; `null` is stored, not removed.
  mutating func merge(_ pairs: KeyValuePairs<String, JSONValue>) {
    for pair in pairs { self[pair.key] = .some(pair.value) }
  }
}

/// JSON with line breaks and two spaces of indentation, as Stripe sends webhook bodies (which is why a receiver must keep
/// the raw bytes for the signature).
enum PrettyJSON {
  static func text(_ value: JSONValue, indent: Int = 0) -> String {
    var output = ""
    write(value, indent: indent, to: &output)
    return output
  }

  private static func write(_ value: JSONValue, indent: Int, to output: inout String) {
    switch value {
    case .object(let object):
      let keys = Array(object.keys)
      if keys.isEmpty {
        output += "{}"
        return
      }
      output += "{\n"
      for (position, key) in keys.enumerated() {
        output += String(repeating: "  ", count: indent + 1)
        output += JSONValue.string(key).text()
        output += ": "
        write(object[key] ?? .null, indent: indent + 1, to: &output)
        output += position + 1 < keys.count ? ",\n" : "\n"
      }
      output += String(repeating: "  ", count: indent) + "}"
    case .array(let array):
      if array.isEmpty {
        output += "[]"
        return
      }
      output += "[\n"
      for (position, element) in array.enumerated() {
        output += String(repeating: "  ", count: indent + 1)
        write(element, indent: indent + 1, to: &output)
        output += position + 1 < array.count ? ",\n" : "\n"
      }
      output += String(repeating: "  ", count: indent) + "]"
    default:
      output += value.text()
    }
  }
}
