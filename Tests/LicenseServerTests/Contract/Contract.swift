import Foundation
import JSON
import TestSupport

/// The project's own copy of the LicenseKit contract, out of `Tests/Contract`. The tests of docs/openapi.yaml compare that
/// file with the same copy.
enum Contract {
  struct Operation: Sendable, CustomStringConvertible {
    enum Authorization: String { case management, license, none }
    enum Envelope: String { case plain, page, signed }

    let id: String
    let method: String
    /// With `{name}` for each id.
    let path: String
    let authorization: Authorization
    /// Of a management operation.
    let scope: String?
    let success: [Int]
    /// The classes of refusal that the contract declares.
    let errors: [Int]
    let body: String?
    /// Whether the contract leaves the body open to fields that nobody knows, and declares its faults as those of a query.
    let hasOpenBody: Bool
    /// Query parameters by type.
    let query: JSONObject
    let requiredQuery: [String]
    /// Of these exactly one is required.
    let oneOfQuery: [String]
    let needsIdempotencyKey: Bool
    /// The schema of `data`; `text` and `bytes` without an envelope; nil without a body.
    let data: String?
    let envelope: Envelope?

    var description: String { id }
    var isList: Bool { data?.hasPrefix("[") == true }

    /// The path with these ids in it, in order.
    func path(_ ids: [String]) -> String {
      ids.reduce(path) { path, id in
        guard let parameter = path.firstRange(of: /\{[a-z_]+\}/) else { return path }
        return path.replacingCharacters(in: parameter, with: id)
      }
    }
    var pathParameters: Int { path.count { $0 == "{" } }
  }

  enum Schema: Sendable {
    struct Member: Sendable {
      let name: String
      let type: String
      let isOptional: Bool
    }
    case object([Member])
    case words([String])
  }

  static let operations: [Operation] = read("operations.json").array!.map(Operation.init)

  static func operation(_ id: String) -> Operation { operations.first { $0.id == id }! }

  static let schemas: [String: Schema] = Dictionary(
    uniqueKeysWithValues: read("schemas.json").object!.elements.map { name, value in
      if let words = value.array { return (name, .words(words.map { $0.string! })) }
      return (
        name,
        .object(
          value.object!.elements.map { key, type in
            let isOptional = key.hasSuffix("?")
            return .init(name: isOptional ? String(key.dropLast()) : key, type: type.string!, isOptional: isOptional)
          })
      )
    })

  /// The members of a body.
  static func members(of schema: String) -> [Schema.Member] {
    guard case .object(let members) = schemas[schema] else { return [] }
    return members
  }

  /// The words a type may be, where it is a choice.
  static func words(of type: String) -> [String]? {
    if case .words(let words) = schemas[type] { return words }
    return nil
  }

  private static func read(_ file: String) -> JSONValue {
    let url = PackageRoot.url.appendingPathComponent("Tests/Contract/\(file)")
    return try! JSONValue(parsing: [UInt8](Data(contentsOf: url)))
  }
}

extension Contract.Operation {
  fileprivate init(_ json: JSONValue) {
    func numbers(_ name: String) -> [Int] { (json[name]?.array ?? []).map { Int($0.integer!) } }
    id = json["id"]!.string!
    method = json["method"]!.string!
    path = json["path"]!.string!
    authorization = Authorization(rawValue: json["auth"]!.string!)!
    scope = json["scope"]?.string
    success = numbers("success")
    errors = numbers("errors")
    body = json["body"]?.string
    hasOpenBody = json["openBody"]?.bool ?? false
    query = json["query"]?.object ?? JSONObject()
    requiredQuery = (json["requiredQuery"]?.array ?? []).map { $0.string! }
    oneOfQuery = (json["oneOfQuery"]?.array ?? []).map { $0.string! }
    needsIdempotencyKey = json["idempotencyKey"]?.string == "required"
    data = json["data"]?.string
    envelope = (json["envelope"]?.string).map { Envelope(rawValue: $0)! }
  }
}

extension Contract {
  /// What is wrong with a value of an answer: a type, a missing member, one too many, or the wrong order of members.
  static func problems(_ value: JSONValue, _ type: String, at place: String) -> [String] {
    if type.hasSuffix(" or null") {
      return value.isNull ? [] : problems(value, String(type.dropLast(" or null".count)), at: place)
    }
    if type.hasPrefix("[") {
      guard let elements = value.array else { return ["\(place) is \(value.kind), not an array"] }
      let element = String(type.dropFirst().dropLast())
      return elements.enumerated().flatMap { problems($1, element, at: "\(place)[\($0)]") }
    }
    if type.hasPrefix("one of ") {
      return word(value, of: type.dropFirst("one of ".count).components(separatedBy: " | "), at: place)
    }
    if type.contains("|") {
      let each = type.components(separatedBy: "|").map { problems(value, $0, at: place) }
      return each.contains([]) ? [] : each.joined() + []
    }
    switch schemas[type] {
    case .words(let words): return word(value, of: words, at: place)
    case .object(let members): return object(value, members, at: place)
    case nil: return simple(value, type, at: place)
    }
  }

  private static func simple(_ value: JSONValue, _ type: String, at place: String) -> [String] {
    let fits =
      switch type {
      case "string": value.string != nil
      case "integer": value.integer != nil
      case "boolean": value.bool != nil
      case "object": value.object != nil
      case "time": value.string?.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/) != nil
      case "uri": value.string.flatMap { URL(string: $0)?.scheme } != nil
      default: false
      }
    return fits ? [] : ["\(place) is \(value.kind), not a \(type)"]
  }

  private static func word(_ value: JSONValue, of words: [String], at place: String) -> [String] {
    guard let word = value.string, words.contains(word) else { return ["\(place) is none of \(words)"] }
    return []
  }

  private static func object(_ value: JSONValue, _ members: [Schema.Member], at place: String) -> [String] {
    guard let object = value.object else { return ["\(place) is \(value.kind), not an object"] }
    var found: [String] = []
    let known = members.map(\.name)
    if object.keys != known.filter(object.keys.contains) {
      found.append("\(place) has \(object.keys), not members of \(known) in this order")
    }
    for member in members {
      if let value = object[member.name] {
        found += problems(value, member.type, at: "\(place).\(member.name)")
      } else if !member.isOptional {
        found.append("\(place) lacks \(member.name)")
      }
    }
    return found
  }
}
