import Foundation
import Identity
import JSON
import Testing

@Suite("Writer, dates and ids")
struct WriterTests {
  @Test("The writer sets commas, keeps the order of calls and escapes as JSON.stringify does")
  func writer() {
    var writer = JSONWriter()
    writer.beginObject()
    writer.member("id", "a\"b\\\n\u{1}/\u{E9}")
    writer.member("count", 7 as Int32)
    writer.member("on", true)
    writer.key("list")
    writer.beginArray()
    writer.integer(Int64.min)
    writer.beginObject()
    writer.endObject()
    writer.null()
    writer.raw("1.50".utf8)
    writer.endArray()
    writer.member("value", ["z": 1, "a": 2] as JSONValue)
    writer.endObject()
    #expect(
      writer.text
        == #"{"id":"a\"b\\\n\u0001/\#u{E9}","count":7,"on":true,"list":[-9223372036854775808,{},null,1.50],"value":{"z":1,"a":2}}"#
    )
  }

  @Test("A document for signing is checked for printable ASCII: one accent and it is not")
  func printable() {
    func document(_ device: String) -> JSONWriter {
      var writer = JSONWriter()
      writer.beginObject()
      writer.member("license_id", "lic_1")
      writer.member("device_id", device)
      writer.endObject()
      return writer
    }
    #expect(document("dev_1").isPrintableASCII)
    #expect(!document("dev_\u{E9}").isPrintableASCII)
    #expect(!document("dev_\u{7F}").isPrintableASCII)
    // A control character is escaped, and so printable; whether escapes are wanted is another question.
    #expect(document("dev\t").isPrintableASCII)
    #expect(JSONWriter.isPlain("dev_1 ~") && !JSONWriter.isPlain("dev\t") && !JSONWriter.isPlain("a\"b"))
  }

  @Test(
    "Dates by RFC 3339: any offset, fractions, none for UTC",
    arguments: [
      ("1970-01-01T00:00:00Z", 0), ("2026-03-24T00:00:00Z", 1_774_310_400),
      ("2026-03-24t02:00:00+02:00", 1_774_310_400),
      ("2026-03-23 18:30:00-05:30", 1_774_310_400), ("2026-03-24T00:00:00", 1_774_310_400),
      ("2026-03-24T00:00:00.25z", 1_774_310_400.25), ("2024-02-29T12:00:00Z", 1_709_208_000),
      ("1969-12-31T23:59:59Z", -1), ("0000-01-01T00:00:00Z", -62_167_219_200),
      ("9999-12-31T23:59:59Z", 253_402_300_799),
      ("2016-12-31T23:59:60Z", 1_483_228_800),
    ] as [(String, Double)])
  func dates(text: String, seconds: Double) {
    #expect(RFC3339.date(from: text)?.timeIntervalSince1970 == seconds)
  }

  @Test(
    "What is no date is refused",
    arguments: [
      "", "2026-03-24", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z",
      "2026-04-31T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:61Z",
      "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00+0200", "2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00Zx",
      "2026-01-01T00:00Z", "26-01-01T00:00:00Z", "+026-01-01T00:00:00Z",
    ])
  func noDates(text: String) {
    #expect(RFC3339.date(from: text) == nil)
  }

  @Test("Dates are written in whole seconds of UTC and read back, across years and leap days")
  func dateRoundTrip() {
    let foundation = ISO8601DateFormatter()
    var seconds = -62_167_219_200
    while seconds < 253_402_300_799 {
      let date = Date(timeIntervalSince1970: Double(seconds))
      #expect(RFC3339.date(from: RFC3339.string(from: date)) == date)
      if seconds > -10_000_000_000 { #expect(RFC3339.string(from: date) == foundation.string(from: date)) }
      seconds += 98_765_432
    }
    #expect(RFC3339.string(from: Date(timeIntervalSince1970: -0.5)) == "1969-12-31T23:59:59Z")
    #expect(RFC3339.string(from: Date(timeIntervalSince1970: .infinity)) == "9999-12-31T23:59:59Z")
  }

  @Test("Ids of one kind compare by bytes, sort, and are coded as plain strings")
  func ids() throws {
    #expect(WidgetID("w_1") == "w_1")
    #expect(WidgetID("\u{E9}") != WidgetID("e\u{301}"))
    #expect(WidgetID("a") < WidgetID("b"))
    #expect("\(WidgetID("w_1"))" == "w_1")
    #expect(try JSONCoding.encode([WidgetID("w_1")]).text() == #"["w_1"]"#)
    #expect(try JSONDecoder().decode([WidgetID].self, from: Data(#"["w_1"]"#.utf8)) == ["w_1"])
  }
}
