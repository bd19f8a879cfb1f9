/// Where in a document a decoder stands; a list towards the root, so that going deeper copies nothing.
indirect enum DecodingPath {
  case root
  case key(String, of: DecodingPath)
  case index(Int, of: DecodingPath)

  /// `features[0].quota`
  var text: String {
    switch self {
    case .root: ""
    case .key(let key, .root): key
    case .key(let key, let parent): "\(parent.text).\(key)"
    case .index(let index, let parent): "\(parent.text)[\(index)]"
    }
  }

  var codingPath: [any CodingKey] {
    switch self {
    case .root: []
    case .key(let key, let parent): parent.codingPath + [PlainKey(key)]
    case .index(let index, let parent): parent.codingPath + [PlainKey(index: index)]
    }
  }
}

/// Remembers which members of which objects were asked for, to find those that nobody asked for. Lives within one call
/// of `JSONCoding.decode`.
final class KeyLedger {
  private final class Entry {
    let path: DecodingPath
    let keys: [String]
    var asked: Set<String> = []
    var takesAll = false

    init(path: DecodingPath, keys: [String]) {
      self.path = path
      self.keys = keys
    }
  }

  private var entries: [Entry] = []
  private var positions: [String: Int] = [:]

  private func entry(_ path: DecodingPath, _ object: JSONObject) -> Entry {
    let text = path.text
    if let position = positions[text] { return entries[position] }
    let entry = Entry(path: path, keys: object.keys)
    positions[text] = entries.count
    entries.append(entry)
    return entry
  }

  /// An object is about to be decoded, whatever will be asked of it.
  func begin(_ path: DecodingPath, _ object: JSONObject) { _ = entry(path, object) }

  func ask(_ key: String, _ path: DecodingPath, _ object: JSONObject) { entry(path, object).asked.insert(key) }

  /// The object was decoded as it is.
  func takeAll(_ path: DecodingPath, _ object: JSONObject) { entry(path, object).takesAll = true }

  /// The path of the first member that nobody asked for.
  var firstUnknown: String? {
    for entry in entries where !entry.takesAll {
      if let key = entry.keys.first(where: { !entry.asked.contains($0) }) {
        return DecodingPath.key(key, of: entry.path).text
      }
    }
    return nil
  }
}

struct ValueDecoder: Decoder {
  let value: JSONValue
  let path: DecodingPath
  let keepsKeys: Bool
  let ledger: KeyLedger?

  var codingPath: [any CodingKey] { path.codingPath }
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  func unbox<T: Decodable>(_ type: T.Type) throws -> T {
    if let direct = type as? any DirectlyDecodable.Type {
      if let ledger, case .object(let object) = value { ledger.takeAll(path, object) }
      if let result = try direct.init(json: value, path: path) as? T { return result }
    }
    if let ledger, case .object(let object) = value { ledger.begin(path, object) }
    do {
      return try T(
        from: ValueDecoder(value: value, path: path, keepsKeys: type is any KeepsKeys.Type, ledger: ledger))
    } catch DecodingError.dataCorrupted(let context) where type is any RawRepresentable.Type {
      // The standard library's own message repeats the value.
      guard context.codingPath.count == codingPath.count else { throw DecodingError.dataCorrupted(context) }
      throw failure(
        .invalid(allowedValues(of: type).map { "must be one of \($0)" } ?? "is not one of the allowed values"))
    }
  }

  func failure(_ reason: JSONDecodingFailure.Reason) -> JSONDecodingFailure {
    JSONDecodingFailure(path: path.text, reason: reason)
  }

  func wrongType(_ expected: String) -> JSONDecodingFailure {
    failure(.wrongType(expected: expected, found: value.kind))
  }

  func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
    guard case .object(let object) = value else { throw wrongType("an object") }
    ledger?.begin(path, object)
    return KeyedDecodingContainer(ObjectDecoding(decoder: self, object: object))
  }

  func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
    guard case .array(let elements) = value else { throw wrongType("an array") }
    return ArrayDecoding(decoder: self, elements: elements)
  }

  func singleValueContainer() -> any SingleValueDecodingContainer { SingleDecoding(decoder: self) }

  private func allowedValues(of type: any Decodable.Type) -> String? {
    guard let listed = type as? any CaseIterable.Type else { return nil }
    func rawValues<C: CaseIterable>(_ type: C.Type) -> [String] {
      type.allCases.compactMap { ($0 as? any RawRepresentable).map { "\($0.rawValue)" } }
    }
    let values = rawValues(listed)
    return values.isEmpty ? nil : values.joined(separator: ", ")
  }
}

private struct ObjectDecoding<Key: CodingKey>: KeyedDecodingContainerProtocol {
  let decoder: ValueDecoder
  let object: JSONObject
  var codingPath: [any CodingKey] { decoder.codingPath }

  var allKeys: [Key] {
    object.keys.compactMap { name in
      if decoder.keepsKeys { return Key(stringValue: name) }
      for candidate in SnakeCase.candidates(for: name) {
        if let key = Key(stringValue: candidate) { return key }
      }
      return nil
    }
  }

  private func name(of key: any CodingKey) -> String {
    decoder.keepsKeys ? key.stringValue : SnakeCase.convert(key.stringValue)
  }

  private func value(_ name: String) -> JSONValue? {
    decoder.ledger?.ask(name, decoder.path, object)
    return object[name]
  }

  private func child(_ key: any CodingKey) throws -> ValueDecoder {
    let name = name(of: key)
    let path = DecodingPath.key(name, of: decoder.path)
    guard let value = value(name) else { throw JSONDecodingFailure(path: path.text, reason: .missing) }
    return ValueDecoder(value: value, path: path, keepsKeys: false, ledger: decoder.ledger)
  }

  func contains(_ key: Key) -> Bool { value(name(of: key)) != nil }

  func decodeNil(forKey key: Key) throws -> Bool { try child(key).value == .null }

  func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T { try child(key).unbox(type) }

  func nestedContainer<Nested: CodingKey>(
    keyedBy type: Nested.Type, forKey key: Key
  ) throws -> KeyedDecodingContainer<Nested> {
    try child(key).container(keyedBy: type)
  }

  func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
    try child(key).unkeyedContainer()
  }

  func superDecoder() throws -> any Decoder { try child(PlainKey("super")) }

  func superDecoder(forKey key: Key) throws -> any Decoder { try child(key) }
}

private struct ArrayDecoding: UnkeyedDecodingContainer {
  let decoder: ValueDecoder
  let elements: [JSONValue]
  var currentIndex = 0
  var codingPath: [any CodingKey] { decoder.codingPath }
  var count: Int? { elements.count }
  var isAtEnd: Bool { currentIndex >= elements.count }

  init(decoder: ValueDecoder, elements: [JSONValue]) {
    self.decoder = decoder
    self.elements = elements
  }

  private func current() throws -> ValueDecoder {
    let path = DecodingPath.index(currentIndex, of: decoder.path)
    guard !isAtEnd else { throw JSONDecodingFailure(path: path.text, reason: .missing) }
    return ValueDecoder(value: elements[currentIndex], path: path, keepsKeys: false, ledger: decoder.ledger)
  }

  mutating func decodeNil() throws -> Bool {
    guard try current().value == .null else { return false }
    currentIndex += 1
    return true
  }

  mutating func decode<T: Decodable>(_ type: T.Type) throws -> T {
    let value = try current().unbox(type)
    currentIndex += 1
    return value
  }

  mutating func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) throws -> KeyedDecodingContainer<Nested> {
    let container = try current().container(keyedBy: type)
    currentIndex += 1
    return container
  }

  mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
    let container = try current().unkeyedContainer()
    currentIndex += 1
    return container
  }

  mutating func superDecoder() throws -> any Decoder {
    let decoder = try current()
    currentIndex += 1
    return decoder
  }
}

private struct SingleDecoding: SingleValueDecodingContainer {
  let decoder: ValueDecoder
  var codingPath: [any CodingKey] { decoder.codingPath }

  func decodeNil() -> Bool { decoder.value == .null }

  func decode<T: Decodable>(_ type: T.Type) throws -> T { try decoder.unbox(type) }
}

extension JSONDecodingFailure {
  /// What a value's own `init(from:)` threw, as a failure that names the field.
  init(anyError error: any Error) {
    func path(_ keys: [any CodingKey]) -> String {
      keys.reduce(DecodingPath.root) { path, key in
        if let index = key.intValue { return .index(index, of: path) }
        // This decoder's own keys are names of the document already.
        return .key(key is PlainKey ? key.stringValue : SnakeCase.convert(key.stringValue), of: path)
      }.text
    }
    switch error {
    case let failure as JSONDecodingFailure: self = failure
    case DecodingError.dataCorrupted(let context):
      self.init(path: path(context.codingPath), reason: .invalid(context.debugDescription))
    case DecodingError.keyNotFound(let key, let context):
      self.init(path: path(context.codingPath + [key]), reason: .missing)
    case DecodingError.valueNotFound(let type, let context):
      self.init(path: path(context.codingPath), reason: .wrongType(expected: "a value (\(type))", found: "null"))
    case DecodingError.typeMismatch(let type, let context):
      self.init(path: path(context.codingPath), reason: .wrongType(expected: "\(type)", found: "another type"))
    default: self.init(path: "", reason: .invalid("the value was refused (\(Swift.type(of: error)))"))
    }
  }
}
