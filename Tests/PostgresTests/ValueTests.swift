import Foundation
import Identity
import Postgres
import TestSupport
import Testing

private enum OrderTag {}
private enum Mood: String, PostgresCodable, PostgresArrayElement, CaseIterable { case happy, sad }

@Suite("A value on its way to Postgres and back")
struct ValueTests {
  static let strings = [
    "", " ", "plain", "it's", "say \"hi\"", "back\\slash", "{a,b}", "NULL", "null", ",", "línea\nnueva\ttab", "日本語 🦆",
    "e\u{301}", "$1; DROP TABLE x; --", "\u{1}\u{7f}", "'); DELETE FROM y; --", "\\x00", "{\"a\":1}",
  ]

  private func same<T: PostgresCodable & Equatable>(_ value: T, as type: String, _ client: PostgresClient) async throws
  {
    let back: T = try await client.query("SELECT \(value)::\(unescaped: type) AS v").value()
    #expect(back == value, "\(type)")
    // Prepared from the second use on: the same again.
    let again: T = try await client.query("SELECT \(value)::\(unescaped: type) AS v").value()
    #expect(again == value, "\(type)")
  }

  @Test("scalars come back as they went")
  func scalars() async throws {
    try await withDatabase { database in
      let client = database.client
      for value in [Int64.min, -1, 0, 1, Int64.max] { try await same(value, as: "int8", client) }
      for value in [Int.min, -1, 0, 1, Int.max] { try await same(value, as: "int8", client) }
      for value in [Int32.min, 0, Int32.max] { try await same(value, as: "int4", client) }
      for value in [true, false] { try await same(value, as: "bool", client) }
      for value in [0.1, -0.0, 1e300, .leastNonzeroMagnitude, .infinity, -.infinity, .pi] {
        try await same(value, as: "float8", client)
      }
      #expect(try await client.query("SELECT \(Double.nan)").value(Double.self).isNaN)
      for value in Self.strings { try await same(value, as: "text", client) }
      for value in Mood.allCases { try await same(value, as: "text", client) }
      try await same(ID<OrderTag>("ord_1"), as: "text", client)
      for count in [0, 1, 255, 5000] {
        try await same((0..<count).map { UInt8(truncatingIfNeeded: $0) }, as: "bytea", client)
      }
      try await same(Optional<Int>.none, as: "int8", client)
      try await same(Optional("x"), as: "text", client)
    }
  }

  @Test("dates keep their microseconds from long ago to far ahead")
  func dates() async throws {
    try await withDatabase { database in
      var generator = SystemRandomNumberGenerator()
      for _ in 0..<200 {
        // Years 1970 to 2060: there a `Date` is exact to the microsecond.
        let microseconds = Int64.random(in: 0...2_840_140_800_000_000, using: &generator)
        let date = Date(timeIntervalSince1970: Double(microseconds) / 1_000_000)
        let row = try await database.client.query(
          "SELECT \(date) AS v, (extract(epoch FROM \(date)) * 1000000)::int8 AS us, ARRAY[\(date)] AS list")
        let back: Date = try #require(row.first).get("v")
        #expect(abs(back.timeIntervalSince(date)) < 0.000_001)
        #expect(try #require(row.first).get("us", as: Int64.self) == microseconds)
        #expect(try #require(row.first).get("list", as: [Date].self) == [back])
      }
      let text = try await database.client.query("SELECT '2026-02-28 23:59:59.5+02'::timestamptz").value(Date.self)
      #expect(text == Date(timeIntervalSince1970: 1_772_315_999.5))
      let shifted = try await database.client.transaction(.init(settings: [("timezone", "Asia/Kathmandu")])) {
        try await $0.query("SELECT '2026-02-28 23:59:59.5+02'::timestamptz").value(Date.self)
      }
      #expect(shifted == text)
      for far in [Date.distantPast, .distantFuture, Date(timeIntervalSince1970: 0)] {
        try await same(far, as: "timestamptz", database.client)
      }
      let infinite = await failure {
        try await database.client.query("SELECT 'infinity'::timestamptz").value(Date.self)
      }
      #expect(infinite?.code == .decoding)
      let refused = await failure {
        try await database.client.query("SELECT \(Date(timeIntervalSince1970: .infinity))")
      }
      #expect(refused?.code == .encoding)
    }
  }

  @Test("arrays come back as they went, whatever their elements hold")
  func arrays() async throws {
    try await withDatabase { database in
      let client = database.client
      try await same(Self.strings, as: "text[]", client)
      try await same([String](), as: "text[]", client)
      try await same([Int64.min, 0, .max], as: "int8[]", client)
      try await same([1, 2, 3], as: "int8[]", client)
      try await same([true, false], as: "bool[]", client)
      try await same([0.5, -1e-9], as: "float8[]", client)
      try await same([[], [0, 255, 92], Array("x".utf8)], as: "bytea[]", client)
      try await same([Date(timeIntervalSince1970: 1), Date(timeIntervalSince1970: -1.5)], as: "timestamptz[]", client)
      try await same([ID<OrderTag>("a"), "b,c"], as: "text[]", client)
      try await same([Mood.sad, .happy], as: "text[]", client)
      for _ in 0..<100 {
        let random = (0..<Int.random(in: 0...20)).map { _ in
          String((0..<Int.random(in: 0...8)).compactMap { _ in "ab\"\\{},' \nNUL💶".randomElement() })
        }
        try await same(random, as: "text[]", client)
      }
      let sum: Int = try await client.query(
        "SELECT count(*) FROM unnest(\(["a", "b"]), \([[1], [2]] as [[UInt8]])) AS t (k, v) WHERE v <> k::bytea"
      ).value()
      #expect(sum == 2)
      let withNull = await failure { try await client.query("SELECT ARRAY['a', NULL]").value([String].self) }
      #expect(withNull?.code == .decoding)
    }
  }

  @Test("JSON travels as text with casts, in arrays, too")
  func json() async throws {
    try await withDatabase { database in
      let texts = [#"{"a": "it's \"x\""}"#, "[1, 2]", "null"]
      let rows = try await database.client.query("SELECT v::text AS v FROM unnest(\(texts)::jsonb[]) AS t (v)")
      #expect(try rows.map { try $0.get("v", as: String.self) } == texts)
    }
  }

  @Test("text with NUL is refused before anything is sent, also inside an array")
  func nul() async throws {
    try await withDatabase { database in
      for query: PostgresQuery in ["SELECT \("a\0b")", "SELECT \(["ok", "a\0b"])", "SELECT \(Optional("\0"))"] {
        #expect(await failure { try await database.client.query(query) }?.code == .encoding)
      }
      let text: String = try await database.client.query("SELECT \("ok")").value()
      #expect(text == "ok")
    }
  }

  @Test("text that looks like SQL stays text")
  func injection() async throws {
    try await withDatabase { database in
      let client = database.client
      try await client.query("CREATE TABLE people (name text)")
      for name in Self.strings { try await client.query("INSERT INTO people VALUES (\(name))") }
      for name in Self.strings {
        #expect(try await client.query("SELECT count(*) FROM people WHERE name = \(name)").value(Int.self) == 1)
      }
      let odd = "we\"ird; DROP TABLE people"
      try await client.query("CREATE TABLE \(identifier: odd) (x int)")
      #expect(try await client.query("SELECT * FROM \(identifier: odd)").isEmpty)
      #expect(try await client.query("SELECT count(*) FROM people").value(Int.self) == Self.strings.count)
    }
  }

  @Test("a wrong read names the column and not its content")
  func decodingErrors() async throws {
    try await withDatabase { database in
      let rows = try await database.client.query("SELECT 'buyer@example.com' AS mail, NULL::text AS nothing")
      let row = try #require(rows.first)
      let attempts: [@Sendable () throws -> Void] = [
        { _ = try row.get("mail", as: Int.self) }, { _ = try row.get("mail", as: Date.self) },
        { _ = try row.get("mail", as: [String].self) }, { _ = try row.get("mail", as: Mood.self) },
        { _ = try row.get("nothing", as: String.self) }, { _ = try row.get("missing", as: String.self) },
        { _ = try row.get(at: 7, as: String.self) },
      ]
      for attempt in attempts {
        let error = await failure { try attempt() }
        #expect(error?.code == .decoding)
        #expect(error.map { "\($0)".contains("buyer") } == false)
      }
      #expect(try row.get("nothing", as: String?.self) == nil)
    }
  }
}
