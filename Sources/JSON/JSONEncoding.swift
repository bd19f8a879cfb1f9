/// Collects what a value encodes. A class, because `Codable` hands out containers that write to a shared place; it lives
/// within one call of `JSONCoding.encode`.
final class ValueEncoder: Encoder {
  let codingPath: [any CodingKey]
  let userInfo: [CodingUserInfoKey: Any] = [:]
  private let keepsKeys: Bool
  private var content = Content.nothing

  private enum Content {
    case nothing
    case value(JSONValue)
    case members([(key: String, encoder: ValueEncoder)])
    case elements([ValueEncoder])
  }

  init(path: [any CodingKey], keepsKeys: Bool) {
    self.codingPath = path
    self.keepsKeys = keepsKeys
  }

  convenience init(path: [any CodingKey], value: JSONValue) {
    self.init(path: path, keepsKeys: false)
    content = .value(value)
  }

  static func box(_ value: some Encodable, path: [any CodingKey], keepsKeys: Bool) throws -> JSONValue {
    if let direct = value as? any DirectlyEncodable { return try direct.jsonValue(path: path) }
    let encoder = ValueEncoder(path: path, keepsKeys: keepsKeys || value is any KeepsKeys)
    try value.encode(to: encoder)
    // What encodes nothing at all is an empty structure.
    if case .nothing = encoder.content { return .object(JSONObject()) }
    return encoder.finished
  }

  var finished: JSONValue {
    switch content {
    case .nothing: .object(JSONObject())
    case .value(let value): value
    case .members(let members): .object(JSONObject(members.map { ($0.key, $0.encoder.finished) }))
    case .elements(let elements): .array(elements.map(\.finished))
    }
  }

  func set(_ value: JSONValue) { content = .value(value) }

  func add(_ encoder: ValueEncoder, for key: any CodingKey) {
    let name = keepsKeys ? key.stringValue : SnakeCase.convert(key.stringValue)
    guard case .members(var members) = content else {
      content = .members([(name, encoder)])
      return
    }
    // Leaves the array with one owner, so that appending does not copy it.
    content = .nothing
    members.append((name, encoder))
    content = .members(members)
  }

  func add(_ encoder: ValueEncoder) {
    guard case .elements(var elements) = content else {
      content = .elements([encoder])
      return
    }
    content = .nothing
    elements.append(encoder)
    content = .elements(elements)
  }

  var count: Int {
    if case .elements(let elements) = content { elements.count } else { 0 }
  }

  func child(_ key: any CodingKey) -> ValueEncoder { ValueEncoder(path: codingPath + [key], keepsKeys: false) }

  func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
    if case .members = content {} else { content = .members([]) }
    return KeyedEncodingContainer(ObjectEncoding(encoder: self))
  }

  func unkeyedContainer() -> any UnkeyedEncodingContainer {
    if case .elements = content {} else { content = .elements([]) }
    return ArrayEncoding(encoder: self)
  }

  func singleValueContainer() -> any SingleValueEncodingContainer { SingleEncoding(encoder: self) }
}

private struct ObjectEncoding<Key: CodingKey>: KeyedEncodingContainerProtocol {
  let encoder: ValueEncoder
  var codingPath: [any CodingKey] { encoder.codingPath }

  private func add(_ value: JSONValue, for key: any CodingKey) {
    encoder.add(ValueEncoder(path: codingPath + [key], value: value), for: key)
  }

  mutating func encodeNil(forKey key: Key) { add(.null, for: key) }

  mutating func encode<T: Encodable>(_ value: T, forKey key: Key) throws {
    add(try ValueEncoder.box(value, path: codingPath + [key], keepsKeys: false), for: key)
  }

  mutating func nestedContainer<Nested: CodingKey>(
    keyedBy type: Nested.Type, forKey key: Key
  ) -> KeyedEncodingContainer<Nested> {
    nested(key).container(keyedBy: type)
  }

  mutating func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
    nested(key).unkeyedContainer()
  }

  mutating func superEncoder() -> any Encoder { nested(PlainKey("super")) }

  mutating func superEncoder(forKey key: Key) -> any Encoder { nested(key) }

  private func nested(_ key: any CodingKey) -> ValueEncoder {
    let child = encoder.child(key)
    encoder.add(child, for: key)
    return child
  }
}

private struct ArrayEncoding: UnkeyedEncodingContainer {
  let encoder: ValueEncoder
  var codingPath: [any CodingKey] { encoder.codingPath }
  var count: Int { encoder.count }

  private var nextPath: [any CodingKey] { codingPath + [PlainKey(index: count)] }

  mutating func encodeNil() { encoder.add(ValueEncoder(path: nextPath, value: .null)) }

  mutating func encode<T: Encodable>(_ value: T) throws {
    let path = nextPath
    encoder.add(ValueEncoder(path: path, value: try ValueEncoder.box(value, path: path, keepsKeys: false)))
  }

  mutating func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) -> KeyedEncodingContainer<Nested> {
    nested().container(keyedBy: type)
  }

  mutating func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { nested().unkeyedContainer() }

  mutating func superEncoder() -> any Encoder { nested() }

  private func nested() -> ValueEncoder {
    let child = encoder.child(PlainKey(index: count))
    encoder.add(child)
    return child
  }
}

private struct SingleEncoding: SingleValueEncodingContainer {
  let encoder: ValueEncoder
  var codingPath: [any CodingKey] { encoder.codingPath }

  mutating func encodeNil() { encoder.set(.null) }

  mutating func encode<T: Encodable>(_ value: T) throws {
    encoder.set(try ValueEncoder.box(value, path: codingPath, keepsKeys: false))
  }
}
