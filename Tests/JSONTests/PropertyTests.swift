import Foundation
import JSON
import Testing

@Suite("Properties over random documents")
struct PropertyTests {
  static let envelope = JSONScanner(
    "id", "type", "livemode", "data.object.id", "data.object.object", "data.object", "a.id")

  @Test("A value written and parsed is the same value with the same text", arguments: 0..<8)
  func roundTrip(seed: UInt64) throws {
    var random = RandomJSON(seed: seed)
    for _ in 0..<500 {
      let value = random.value()
      let again = try JSONValue(parsing: value.encoded())
      #expect(again == value)
      #expect(again.text() == value.text())
      #expect(again.canonicalText() == (try JSONValue(parsing: value.canonicalText())).text())
    }
  }

  @Test("White space, escapes and earlier duplicates change nothing", arguments: 0..<8)
  func looseForms(seed: UInt64) throws {
    var random = RandomJSON(seed: seed)
    for _ in 0..<300 {
      let value = random.value()
      #expect(try JSONValue(parsing: random.loosely(value)) == value)
    }
  }

  @Test(
    "The scanner accepts what the parser accepts, refuses the rest alike, and finds the same values", arguments: 0..<16)
  func scanner(seed: UInt64) throws {
    var random = RandomJSON(seed: seed &+ 1000)
    var accepted = 0
    var refused = 0
    for _ in 0..<1500 {
      let document = Array(
        random.loosely(.object(JSONObject((0..<4).map { _ in (random.key(), random.value()) }))).utf8)
      for bytes in [document, random.damage(document), random.damage(document)] {
        let parsed = Result { try JSONValue(parsing: bytes) }
        let scanned = Result { try Self.envelope.scan(bytes) }
        switch (parsed, scanned) {
        case (.success(let value), .success(let found)):
          accepted += 1
          expectSame(value, found)
        case (.failure(let left as JSONParsingError), .failure(let right as JSONParsingError)):
          refused += 1
          #expect(left == right)
        default:
          Issue.record("the scanner and the parser disagree about \(String(decoding: bytes, as: UTF8.self))")
        }
      }
    }
    #expect(accepted > 1000 && refused > 500)
  }

  private func expectSame(_ value: JSONValue, _ found: JSONScanner.Found) {
    #expect(found["id"] == value["id"])
    #expect(found["type"] == value["type"])
    #expect(found["livemode"] == value["livemode"])
    #expect(found["data.object"] == value["data"]?["object"])
    #expect(found["data.object.id"] == value["data"]?["object"]?["id"])
    #expect(found["data.object.object"] == value["data"]?["object"]?["object"])
    #expect(found["a.id"] == value["a"]?["id"])
  }

  @Test("What the parser accepts of damaged documents, Foundation accepts too", arguments: 0..<8)
  func noLaxerThanFoundation(seed: UInt64) {
    var random = RandomJSON(seed: seed &+ 9000)
    for _ in 0..<300 {
      let bytes = random.damage(Array(random.loosely(random.value()).utf8))
      // Foundation also refuses numbers beyond the range of Double, which the grammar allows.
      guard let value = try? JSONValue(parsing: bytes), isWithinDouble(value) else { continue }
      #expect(
        (try? JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed)) != nil,
        "\(String(decoding: bytes, as: UTF8.self))")
    }
  }

  private func isWithinDouble(_ value: JSONValue) -> Bool {
    switch value {
    case .array(let elements): elements.allSatisfy(isWithinDouble)
    case .object(let object): object.allSatisfy { isWithinDouble($0.value) }
    case .decimal: value.double?.isFinite == true
    default: true
    }
  }

  @Test("Random bytes never crash the parser")
  func noise() {
    var random = RandomJSON(seed: 77)
    for _ in 0..<5000 {
      let bytes = (0..<random.below(40)).map { _ in UInt8(random.below(256)) }
      _ = try? JSONValue(parsing: bytes)
      _ = try? Self.envelope.scan([0x7B, 0x22] + bytes)
    }
  }

  @Test("A scanner reads nested members, the last of duplicates, and nothing where there is no object")
  func scannerExamples() throws {
    let scanner = JSONScanner("id", "data.object.id")
    let found = try scanner.scan(Array(#"{"id":"evt_1","data":{"object":{"id":"in_1","lines":[{}]}}}"#.utf8))
    #expect(found["id"] == "evt_1")
    #expect(found["data.object.id"] == "in_1")
    #expect(found["other"] == nil)
    let twice = try scanner.scan(Array(#"{"data":{"object":{"id":"old"}},"id":1,"data":{"object":7},"id":null}"#.utf8))
    #expect(twice["data.object.id"] == nil)
    #expect(twice["id"] == .some(.null))
    #expect(try scanner.scan(Array("[1]".utf8)).values == [nil, nil])
    #expect(
      try JSONScanner.topLevelMembers(of: Array(#"{"a":[1,2],"b":2}"#.utf8), wanted: ["a", "c"]) == ["a": [1, 2]])
  }

  @Test("Slices, and collections that are not in one piece of memory, are read too")
  func otherCollections() throws {
    let bytes = Array(#"xx{"a":1}"#.utf8)
    #expect(try JSONValue(parsing: bytes.dropFirst(2)) == ["a": 1])
    #expect(try JSONValue(parsing: bytes.reversed().reversed().dropFirst(2)) == ["a": 1])
    #expect(try JSONValue(parsing: Array(#"}1:"a"{"#.utf8).reversed()) == ["a": 1])
  }
}
