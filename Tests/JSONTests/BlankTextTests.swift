import JSON
import Testing

@Suite("A text from outside that may say nothing")
struct BlankTextTests {
  @Test(
    "is absent when nothing of it can be seen",
    arguments: [
      "", " ", "   ", "\n", "\t\r\n", "\u{A0}", "\u{3000}", "\u{200B}", "\u{FEFF}", "\u{2060}", "\u{200D}", "\u{3164}",
      "\u{115F}\u{1160}", "\u{FFA0}", "\u{2800}", "\u{AD}", "\u{202E}", "\u{0}", "\u{1B}", "\u{FE0F}", "\u{180E}",
      " \u{200D}", "\r\n\u{200B} \u{3164}",
    ])
  func nothing(_ text: String) {
    #expect(BlankText.said(text) == nil)
    #expect(BlankText.said(nil) == nil)
    #expect(JSONValue.string(text).saying == nil)
  }

  @Test(
    "is taken without what is invisible around it, and whole between",
    arguments: [
      ("Ada", "Ada"), (" Ada  Lovelace\n", "Ada  Lovelace"), ("\u{FEFF}山田太郎\u{200B}", "山田太郎"),
      ("\u{A0}a\u{200B}b\u{A0}", "a\u{200B}b"), ("é", "é"), ("e\u{301} ", "e\u{301}"), ("❤\u{FE0F}\n", "❤\u{FE0F}"),
      ("a \u{200D}", "a"), (" \u{200D}a", "a"), ("0", "0"), ("-", "-"), ("4c4c4544\r\n", "4c4c4544"),
    ])
  func something(_ text: String, _ said: String) {
    #expect(BlankText.said(text).map { Array($0.utf8) } == Array(said.utf8))
    #expect(Array(BlankText.trimmed(text).utf8) == Array(said.utf8))
  }
}
