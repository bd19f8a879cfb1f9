import Foundation
import PDFDocuments
import Testing

@Suite("A document becomes a PDF file")
struct RenderingTests {
  private var sample: PDFDocument {
    PDFDocument(
      title: "Quarterly report", subtitle: "for Łukasz Ærø & Ελένη", author: "The server",
      createdAt: Date(timeIntervalSince1970: 1_774_310_400),
      blocks: [
        .heading("Facts"),
        .facts([.init("Name", "Zoë Müller"), .init("Город", "Санкт-Петербург")]),
        .heading("Rows"),
        .table(
          .init(
            columns: [.init("Item"), .init("Amount", alignment: .trailing)],
            rows: (1...120).map { ["Item \($0) – “quoted” €", "\($0 * 1_000)"] })),
        .note("End of the report"),
      ])
  }

  @Test("the same document gives the same bytes, another other ones")
  func deterministic() throws {
    let first = try sample.encoded()
    #expect(first.starts(with: Array("%PDF-1.".utf8)))
    #expect(String(decoding: first.suffix(8), as: UTF8.self).contains("%%EOF"))
    #expect(first == (try sample.encoded()))
    var other = sample
    other.title = "Another"
    #expect(first != (try other.encoded()))
  }

  @Test("every text can be read out of the file again, in any script the font has, with the pages counted")
  func readBack() throws {
    let text = try Self.text(of: sample.encoded())
    for expected in [
      "Quarterly report", "for Łukasz Ærø & Ελένη", "Zoë Müller", "Санкт-Петербург", "Item 1 – “quoted” €", "Item 120",
      "120000", "End of the report", "Page 1 of ",
    ] {
      #expect(text.contains(expected), "\(expected)")
    }
  }

  @Test("the scripts of East Asia are read in a font that has their letters, beside the others")
  func eastAsia() throws {
    let words = ["写真編集", "山田のMac", "图片", "Łukasz"]
    let document = PDFDocument(
      title: words[0],
      blocks: [
        .paragraph(words.joined(separator: " ")),
        .table(.init(columns: [.init("製品")], rows: words.map { [$0] })),
      ])
    let bytes = try document.encoded()
    let text = try Self.text(of: bytes)
    for word in words + ["製品"] { #expect(text.contains(word), "\(word)") }
    let fonts = try Self.output(of: "pdffonts", bytes)
    #expect(fonts.split(separator: "\n").dropFirst(2).contains { !$0.contains("DejaVu") }, "\(fonts)")
  }

  @Test("what no font can show is left out with a word on it, and no box is drawn")
  func hostile() throws {
    let document = PDFDocument(
      title: "Title \u{0} \u{202E}evil",
      blocks: [.paragraph("left\u{0}right"), .paragraph("𗀀 smile"), .paragraph("שלום peace"), .paragraph("")],
      omissionNote: "The rest is elsewhere.")
    let text = try Self.text(of: document.encoded())
    for expected in ["evil", "left right", "[…] smile", "[…] peace", "The rest is elsewhere."] {
      #expect(text.contains(expected), "\(expected)")
    }
    #expect(!text.contains("שלום") && !text.contains("𗀀"))
  }

  @Test("many at once are all written, off the callers' threads, and too many are refused")
  func renderer() async throws {
    let renderer = PDFRenderer(maximumThreads: 2, maximumWaiting: 100)
    let document = sample
    let expected = try document.encoded()
    try await withThrowingTaskGroup(of: [UInt8].self) { group in
      for _ in 0..<40 { group.addTask { try await renderer.render(document) } }
      for try await bytes in group { #expect(bytes == expected) }
    }
    let narrow = PDFRenderer(maximumThreads: 1, maximumWaiting: 1)
    let refused = await withTaskGroup(of: Bool.self) { group in
      for _ in 0..<50 {
        group.addTask {
          do throws(PDFRenderingError) {
            _ = try await narrow.render(document)
            return false
          } catch { return error == .overloaded }
        }
      }
      return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
    }
    #expect(refused > 0 && refused < 50)
    #expect(try await narrow.render(document) == expected)
    await #expect(throws: PDFRenderingError.tooManyPages(limit: 1)) {
      try await PDFRenderer(maximumPages: 1).render(document)
    }
  }

  /// What `pdftotext` reads in a file.
  static func text(of pdf: [UInt8]) throws -> String { try output(of: "pdftotext -layout", pdf, "-") }

  /// What a command says of a file.
  private static func output(of command: String, _ pdf: [UInt8], _ last: String...) throws -> String {
    let file = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString + ".pdf")
    try Data(pdf).write(to: file)
    defer { try? FileManager.default.removeItem(at: file) }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = command.split(separator: " ").map(String.init) + [file.path] + last
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
    return String(decoding: data, as: UTF8.self)
  }
}
