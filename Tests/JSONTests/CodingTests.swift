import Foundation
import Identity
import JSON
import Testing

enum WidgetTag {}
typealias WidgetID = ID<WidgetTag>

enum Shade: String, Codable, CaseIterable {
  case light, dark
  case halfTone = "half_tone"
}
enum Secretive: String, Codable { case a, b }

struct Widget: Codable, Equatable {
  struct Part: Codable, Equatable {
    var partID: Int
    var isVM: Bool?
  }
  var widgetID: WidgetID
  var shade: Shade = .light
  var parts: [Part] = []
  var metadata: JSONObject = [:]
  var labels: [String: String]?
  var counts: [WidgetID: Int]?
  var createdAt: Date?
  var anything: JSONValue?
  var blob: [UInt8]?
  var ratio: Double?
  var site: URL?
}

@Suite("Codable")
struct CodingTests {
  @Test("Members stand in the order of declaration, in snake case; nil is left out; keys that are data stay")
  func encoding() throws {
    let widget = Widget(
      widgetID: "w_1", shade: .halfTone, parts: [.init(partID: 1, isVM: true), .init(partID: 2)],
      metadata: ["camelKey": 1, "a": nil], labels: ["someKey": "v"], counts: ["idOne": 3],
      createdAt: Date(timeIntervalSince1970: 1_774_310_400.9), anything: [1, "x"], blob: [1, 2, 3], ratio: 2,
      site: URL(string: "https://example.com/a"))
    let text =
      #"{"widget_id":"w_1","shade":"half_tone","parts":[{"part_id":1,"is_vm":true},{"part_id":2}],"#
      + #""metadata":{"camelKey":1,"a":null},"labels":{"someKey":"v"},"counts":{"idOne":3},"#
      + #""created_at":"2026-03-24T00:00:00Z","anything":[1,"x"],"blob":"AQID","ratio":2,"site":"https://example.com/a"}"#
    #expect(try JSONCoding.encode(widget).text() == text)
    var again = try JSONCoding.decode(Widget.self, from: Array(text.utf8), unknownFields: .reject)
    #expect(again.createdAt == Date(timeIntervalSince1970: 1_774_310_400))
    again.createdAt = widget.createdAt
    #expect(again == widget)
    #expect(
      try JSONCoding.encode(Widget(widgetID: "w")).text()
        == #"{"widget_id":"w","shade":"light","parts":[],"metadata":{}}"#)
  }

  @Test("An optional member is nil by absence and by null")
  func optionals() throws {
    let part = try JSONCoding.decode(Widget.Part.self, from: ["part_id": 1, "is_vm": nil], unknownFields: .reject)
    #expect(part == Widget.Part(partID: 1))
  }

  @Test(
    "A document that does not fit says which field, what was expected and what came, and no value",
    arguments: [
      ([:], "widget_id", .missing),
      (["widget_id": 5], "widget_id", .wrongType(expected: "a string", found: "an integer")),
      (["widget_id": nil], "widget_id", .wrongType(expected: "a string", found: "null")),
      ([1], "", .wrongType(expected: "an object", found: "an array")),
      (["widget_id": "w", "shade": "sk_secret"], "shade", .invalid("must be one of light, dark, half_tone")),
      (["widget_id": "w", "shade": 1], "shade", .wrongType(expected: "a string", found: "an integer")),
      (["widget_id": "w", "shade": "dark", "parts": [["part_id": 1], [:]]], "parts[1].part_id", .missing),
      (
        ["widget_id": "w", "shade": "dark", "parts": [["part_id": .decimal("1.5")]]], "parts[0].part_id",
        .wrongType(expected: "an integer", found: "a decimal number")
      ),
      (
        ["widget_id": "w", "shade": "dark", "parts": [], "metadata": [], "x": 1], "metadata",
        .wrongType(expected: "an object", found: "an array")
      ),
      (
        ["widget_id": "w", "shade": "dark", "parts": [], "metadata": [:], "created_at": "yesterday"], "created_at",
        .invalid("must be a date and time by RFC 3339, such as 2026-03-24T09:05:00Z")
      ),
      (
        ["widget_id": "w", "shade": "dark", "parts": [], "metadata": [:], "labels": ["someKey": 1]], "labels.someKey",
        .wrongType(expected: "a string", found: "an integer")
      ),
      (
        ["widget_id": "w", "shade": "dark", "parts": [], "metadata": [:], "blob": "AQI"], "blob",
        .invalid("must be padded Base64")
      ),
      (
        ["widget_id": "w", "shade": "dark", "parts": [["part_id": .decimal("9223372036854775808")]]],
        "parts[0].part_id",
        .invalid("must be from \(Int.min) to \(Int.max)")
      ),
    ] as [(JSONValue, String, JSONDecodingFailure.Reason)])
  func failures(value: JSONValue, path: String, reason: JSONDecodingFailure.Reason) {
    let expected = JSONDecodingFailure(path: path, reason: reason)
    #expect(throws: expected) { try JSONCoding.decode(Widget.self, from: value, unknownFields: .reject) }
    #expect(!expected.description.contains("sk_secret"))
  }

  @Test("A closed object refuses any field nobody asked for, at every depth; an open one skips it")
  func unknownFields() throws {
    func widget(_ part: JSONValue, _ extra: JSONObject = [:]) -> JSONValue {
      var object: JSONObject = [
        "widget_id": "w", "shade": "dark", "parts": [["part_id": 1], part], "metadata": ["any": ["thing": 1]],
        "labels": ["a": "b"], "anything": ["x": ["y": 1]],
      ]
      for (key, value) in extra { object[key] = value }
      return .object(object)
    }
    #expect(throws: Never.self) {
      try JSONCoding.decode(Widget.self, from: widget(["part_id": 2]), unknownFields: .reject)
    }
    let deep = widget(["part_id": 2, "partId": 3])
    #expect(throws: JSONDecodingFailure(path: "parts[1].partId", reason: .unknown)) {
      try JSONCoding.decode(Widget.self, from: deep, unknownFields: .reject)
    }
    #expect(throws: Never.self) { try JSONCoding.decode(Widget.self, from: deep) }
    #expect(throws: JSONDecodingFailure(path: "widgetID", reason: .unknown)) {
      try JSONCoding.decode(Widget.self, from: widget(["part_id": 2], ["widgetID": 1]), unknownFields: .reject)
    }
    struct Empty: Codable {}
    #expect(throws: JSONDecodingFailure(path: "a", reason: .unknown)) {
      try JSONCoding.decode(Empty.self, from: ["a": 1], unknownFields: .reject)
    }
    #expect(throws: Never.self) { try JSONCoding.decode(Empty.self, from: [:], unknownFields: .reject) }
    #expect(throws: Never.self) {
      try JSONCoding.decode([String: [Int]].self, from: ["anyKey": [1]], unknownFields: .reject)
    }
  }

  @Test("Enumerations without a list of cases say that the value is not allowed, without repeating it")
  func secretive() {
    #expect(throws: JSONDecodingFailure(path: "[1]", reason: .invalid("is not one of the allowed values"))) {
      try JSONCoding.decode([Secretive].self, from: ["a", "sk_live_1"])
    }
  }

  @Test("Cases with values, nested containers and classes with parents go both ways")
  func composedTypes() throws {
    enum Step: Codable, Equatable {
      case oneTime(amountDue: Int)
      case done
    }
    let steps: [Step] = [.oneTime(amountDue: 3), .done]
    #expect(try JSONCoding.encode(steps).text() == #"[{"one_time":{"amount_due":3}},{"done":{}}]"#)
    #expect(try JSONCoding.decode([Step].self, from: JSONCoding.encode(steps), unknownFields: .reject) == steps)

    struct Flat: Codable, Equatable {
      var first: Int
      var second: [Int]
      enum Keys: String, CodingKey { case outer, list, first }
      init(first: Int, second: [Int]) { (self.first, self.second) = (first, second) }
      init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Keys.self)
        first = try container.nestedContainer(keyedBy: Keys.self, forKey: .outer).decode(Int.self, forKey: .first)
        var list = try container.nestedUnkeyedContainer(forKey: .list)
        second = []
        while !list.isAtEnd { second.append(try list.decode(Int.self)) }
      }
      func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Keys.self)
        var outer = container.nestedContainer(keyedBy: Keys.self, forKey: .outer)
        var list = container.nestedUnkeyedContainer(forKey: .list)
        for number in second { try list.encode(number) }
        try outer.encode(first, forKey: .first)
      }
    }
    let flat = Flat(first: 1, second: [2, 3])
    #expect(try JSONCoding.encode(flat).text() == #"{"outer":{"first":1},"list":[2,3]}"#)
    #expect(try JSONCoding.decode(Flat.self, from: JSONCoding.encode(flat), unknownFields: .reject) == flat)
  }

  @Test("A type's own complaint keeps its words and names the field")
  func ownErrors() {
    struct Positive: Decodable {
      init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard try container.decode(Int.self) > 0 else {
          throw DecodingError.dataCorruptedError(in: container, debugDescription: "must be positive")
        }
      }
    }
    #expect(throws: JSONDecodingFailure(path: "howMany[1]", reason: .invalid("must be positive"))) {
      try JSONCoding.decode([String: [Positive]].self, from: ["howMany": [1, 0]])
    }
  }

  @Test("Numbers are exact: limits, beyond 64 bits, floating point")
  func numbers() throws {
    #expect(try JSONCoding.encode([Int64.min, .max]).text() == "[-9223372036854775808,9223372036854775807]")
    #expect(try JSONCoding.encode(UInt64.max).text() == "18446744073709551615")
    #expect(try JSONCoding.decode(UInt64.self, from: .decimal("18446744073709551615")) == .max)
    #expect(try JSONCoding.encode([0.1, 1e300, 1, -2.5]).text() == "[0.1,1e+300,1,-2.5]")
    #expect(try JSONCoding.decode([Double].self, from: [1, .decimal("2.5")]) == [1, 2.5])
    #expect(throws: EncodingError.self) { try JSONCoding.encode(Double.infinity) }
    #expect(throws: JSONDecodingFailure.self) { try JSONCoding.decode(Double.self, from: .decimal("1e999")) }
    #expect(throws: JSONDecodingFailure.self) { try JSONCoding.decode(UInt8.self, from: 256) }
    #expect(throws: JSONDecodingFailure.self) { try JSONCoding.decode(Int.self, from: true) }
  }

  @Test("Names are converted as Foundation converts them")
  func names() throws {
    struct Key: CodingKey {
      var stringValue: String
      var intValue: Int? { nil }
      init(stringValue: String) { self.stringValue = stringValue }
      init?(intValue: Int) { nil }
    }
    struct Named: Encodable {
      let name: String
      func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(1, forKey: Key(stringValue: name))
      }
    }
    let foundation = JSONEncoder()
    foundation.keyEncodingStrategy = .convertToSnakeCase
    var random = RandomJSON(seed: 5)
    var names = [
      "customerID", "isVM", "myURLProperty", "already_snake", "ID", "oneTwo3Four", "sha256Hash", "aB", "A", "x",
    ]
    for _ in 0..<2000 {
      names.append((0...random.below(8)).map { _ in random.pick(["a", "b", "C", "D", "1", "_", "z"]) }.joined())
    }
    for name in names {
      let expected = String(decoding: try foundation.encode(Named(name: name)), as: UTF8.self)
      #expect(try JSONCoding.encode(Named(name: name)).text() == expected, "\(name)")
    }
  }

  @Test("JSON values pass through Foundation's coders as well")
  func foundationCoders() throws {
    let value: JSONValue = ["a": [1, "x", nil, true, .decimal("1.5")], "b": [:]]
    let data = try JSONEncoder().encode(value)
    #expect(try JSONDecoder().decode(JSONValue.self, from: data) == value)
  }
}
