import JSON
import Testing

@Suite("Texts from outside")
struct OutsideTextTests {
  private let words = OutsideText(withholding: ["sk_"])

  @Test(
    "become one line without what steers a terminal, a page or the order of reading",
    arguments: [
      ("a\r\n\tb", "a b"), ("\u{0}a\u{0}b\u{0}", "a b"), ("\u{1B}[31mred", "[31mred"),
      ("a\u{85}b\u{9B}c", "a b c"),
      ("a\u{2028}b\u{2029}c", "a b c"), ("\u{202E}evil\u{2066}", "evil"),
      ("\u{FEFF}a\u{200B}", "a"), ("  a  b ", "a b"),
      ("Ünïque 株式会社", "Ünïque 株式会社"), ("", ""), (" \n ", ""),
    ])
  func lines(_ text: String, _ line: String) {
    #expect(words.line(text) == line)
  }

  @Test("are cut by scalars: a character of a million marks is no way around it")
  func lengths() {
    for text in ["x", "e\u{301}", "\u{1F468}\u{200D}\u{1F469}", "x "].map({
      String(repeating: $0, count: 100_000)
    })
      + ["e" + String(repeating: "\u{301}", count: 1_000_000)]
    {
      #expect(words.line(text).unicodeScalars.count <= OutsideText.longestLine)
      #expect(words.line(text).hasSuffix("…"))
      #expect((words.word(text) ?? "").unicodeScalars.count <= OutsideText.longestWord)
    }
    let fits = String(repeating: "y", count: OutsideText.longestLine)
    #expect(words.line(fits) == fits)
    #expect(words.word(nil) == nil && words.word("") == nil)
  }

  @Test("keep no credential and no address")
  func secrets() {
    #expect(
      words.line("key sk_live_abcdefgh of a+b@example.com failed")
        == "key sk_[withheld] of [address] failed")
    #expect(words.line("task_force and risk_level stay") == "task_force and risk_level stay")
    let late = String(repeating: "z", count: 290) + " sk_live_abcdefgh"
    #expect(!words.line(late).contains("abcd"))
  }
}
