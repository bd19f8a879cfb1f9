import Foundation
import StripeAPI
import Testing

@testable import Purchases

@Suite("The tables of event types in docs/events.md")
struct EventDocumentTests {
  private static let document = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("docs/events.md")

  @Test("They say what the rows of EventTable say; WRITE_DOCS=1 writes them anew")
  func tables() throws {
    let text = try String(contentsOf: Self.document, encoding: .utf8)
    let wanted = try EventDocument.withEffect.written(
      into: EventDocument.ignored.written(into: text, EventDocument.ignoredTable), EventDocument.effectTable)
    if ProcessInfo.processInfo.environment["WRITE_DOCS"] == "1" {
      try wanted.write(to: Self.document, atomically: true, encoding: .utf8)
      return
    }
    let stale = zip(text.split(separator: "\n"), wanted.split(separator: "\n")).first { $0 != $1 }
    let isCurrent = text == wanted
    #expect(
      isCurrent,
      """
      docs/events.md does not say what the rows in Sources/Purchases/Events say. Run this test with WRITE_DOCS=1 in its \
      environment, and commit what it writes. The first line that differs:
      \(stale.map { "\($0.0)\nand should be\n\($0.1)" } ?? "the last")
      """)
  }

  @Test("Neighbours of which the same is said share a line")
  func neighbours() {
    let rows: [EventRow] = [
      .ignore("a.created", "A.", why: "for a"), .ignore("a.updated", "A.", why: "for a"),
      .ignore("b.created", "B.", why: "for b"), .ignore("a.deleted", "A.", why: "for a"),
    ]
    #expect(
      EventDocument.lines(rows)
        == ["| `a.created`, `a.updated` | for a |", "| `b.created` | for b |", "| `a.deleted` | for a |"])
  }
}

/// A part of the document that is made from rows.
private struct EventDocument {
  let begin: String
  static let end = "<!-- Made by EventDocumentTests until here. -->"

  static let withEffect = EventDocument(begin: "<!-- Made by EventDocumentTests: types with an effect. -->")
  static let ignored = EventDocument(begin: "<!-- Made by EventDocumentTests: types that are ignored. -->")

  /// The document with what is between the two marks replaced.
  func written(into text: String, _ table: [String]) throws -> String {
    let start = try #require(text.range(of: begin + "\n\n"), "docs/events.md has no line \(begin)").upperBound
    let rest = try #require(text.range(of: "\n" + Self.end, range: start..<text.endIndex), "and no \(Self.end)")
    return text[..<start] + table.joined(separator: "\n") + "\n" + text[rest.lowerBound...]
  }

  static var effectTable: [String] {
    ["| event | object | looked at | effect |", "|---|---|---|---|"] + lines(EventTable.rows.filter { !isIgnored($0) })
  }

  static var ignoredTable: [String] { ["| event | why |", "|---|---|"] + lines(EventTable.rows.filter(isIgnored)) }

  private static func isIgnored(_ row: EventRow) -> Bool {
    if case .ignore = row.rule { true } else { false }
  }

  static func lines(_ rows: [EventRow]) -> [String] {
    var groups: [(types: [String], said: [String])] = []
    for row in rows {
      let said = said(of: row)
      if groups.last?.said != said { groups.append(([], said)) }
      groups[groups.count - 1].types.append("`\(row.type)`")
    }
    return groups.map { group in
      ([group.types.joined(separator: ", ")] + group.said).map { $0.isEmpty ? "| " : "| \($0) " }.joined() + "|"
    }
  }

  /// The cells behind the first.
  private static func said(of row: EventRow) -> [String] {
    switch row.rule {
    case .ignore: [row.documentation]
    case .application, .install: ["", "", row.documentation]
    case .learn(let learning): [learning.object.name, word(learning.looks), row.documentation]
    }
  }

  /// As the document says it of a vendor who has set nothing.
  private static func word(_ looks: EventEffect.ReconcileRequest) -> String {
    switch looks {
    case .always: "always"
    case .ifKnown: "if known"
    case .none, .buyer: "no"
    }
  }
}
