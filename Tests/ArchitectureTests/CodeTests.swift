import Testing

@Suite("The code")
struct CodeTests {
  @Test("no file is longer than 600 lines")
  func length() throws {
    for folder in ["Sources", "Tests"] {
      for file in try SourceTree.files(in: folder) {
        let lines = file.text.split(separator: "\n", omittingEmptySubsequences: false).count
        #expect(lines <= 600, "\(file.path) has \(lines) lines")
      }
    }
  }

  @Test("what can end the process, or goes around the compiler's checks, says directly above why it is right")
  func proofs() throws {
    for file in try SourceTree.files(in: "Sources") {
      let lines = file.text.split(separator: "\n", omittingEmptySubsequences: false)
      let code = file.code.split(separator: "\n", omittingEmptySubsequences: false)
      #expect(lines.count == code.count, "\(file.path)")
      for (number, line) in code.enumerated() where Self.daring.contains(where: { line.contains($0) }) {
        // An attribute may stand between the comment and the declaration.
        let above = lines[..<number].last { !$0.contains(/^\s*@\w+(\([^)]*\))?\s*$/) }
        #expect(above?.contains(/^\s*(\/\/|\*)/) ?? false, "\(file.path):\(number + 1): \(line.trimmingPrefix(/\s*/))")
      }
    }
  }

  /// Ends the process, goes around the compiler, or blocks a thread that may be shared.
  private static let daring = [
    "try!", " as! ", "fatalError(", "@unchecked Sendable", "nonisolated(unsafe)", "unsafeBitCast(", " Thread.sleep",
    "DispatchGroup()", ".syncShutdownGracefully(",
  ]
}

@Suite("Comments are told from code")
struct CommentsTests {
  @Test(
    arguments: [
      ("let a = 1 // one", "let a = 1 "),
      ("let url = \"https://a\" // b", "let url = \"https://a\" "),
      ("a /* b /* c */ d */ e", "a  e"),
      ("\"\"\"\n// text\n\"\"\"\n// comment", "\"\"\"\n// text\n\"\"\"\n"),
      ("let quote = \"\\\"//\"", "let quote = \"\\\"//\""),
    ])
  func removed(text: String, code: String) {
    #expect(Comments.removed(from: text) == code)
  }
}
