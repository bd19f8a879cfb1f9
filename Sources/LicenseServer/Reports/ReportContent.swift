import Cryptography
import Foundation
import JSON
import PDFDocuments

/// What an export freezes, and how it is written. Pure.
struct ReportContent: Sendable {
  var kind: ReportKind
  var filters: JSONObject
  var data: JSONObject
  var createdAt: Date

  /// SHA-256 of `{"data":…,"filters":…,"report_kind":…}` in canonical JSON: compact, the members of every object in the
  /// order of their bytes. Two exports with the same digest say the same, whatever their format and whenever they were made.
  var digest: String {
    let content: JSONValue = [
      "data": .object(data), "filters": .object(filters), "report_kind": .string(kind.rawValue),
    ]
    return SHA256.hexHash(content.canonicalText())
  }

  /// The report as a document of JSON; `digest` can be worked out again from its other members.
  func json() -> [UInt8] {
    let document: JSONValue = [
      "report_kind": .string(kind.rawValue), "filters": .object(filters), "created_at": .time(createdAt),
      "digest": .string(digest), "data": .object(data),
    ]
    return document.encoded()
  }

  // MARK: CSV

  /// The report as one table. The two reports about usage are tables by nature. Each of the others has several parts, and
  /// gets a row for every single value: its place and the value.
  var table: ReportTable {
    switch kind {
    case .usageLedger:
      return ReportTable(
        columns: [
          "sequence", "created_at", "action", "license_id", "product_id", "policy_id", "customer_id", "order_id",
          "subscription_id", "feature_id", "feature_code", "amount", "consumed_change", "total_consumptions",
          "max_consumptions", "event_id", "actor_type", "actor_id",
        ], objects: (data["entries"]?.array ?? []).compactMap(\.object))
    case .usageSummary:
      let dimensions = (data["group_by"]?.array ?? []).compactMap(\.string)
      let isBucketed = data["bucket"] != nil
      let rows = (data["groups"]?.array ?? []).compactMap(\.object).flatMap { group -> [JSONObject] in
        guard isBucketed else { return [group] }
        return (group["buckets"]?.array ?? []).compactMap { $0.object.map { group.adding($0) } }
      }
      return ReportTable(
        columns: dimensions + (isBucketed ? ["start"] : []) + ["consumed", "uses", "net_change"], objects: rows)
    case .licenseAudit, .customerSummary, .subscriptionSettlement:
      var rows: [[JSONValue]] = []
      for (section, value) in data { Self.collect(value, section: section, row: nil, field: "", into: &rows) }
      return ReportTable(columns: ["section", "row", "field", "value"], rows: rows)
    }
  }

  /// One row for every value: `section` is a part of the report, `row` the place in a list, `field` the way to the value.
  private static func collect(
    _ value: JSONValue, section: String, row: Int?, field: String, into rows: inout [[JSONValue]]
  ) {
    func path(_ name: String) -> String { field.isEmpty ? name : "\(field).\(name)" }
    switch value {
    case .object(let object):
      for (name, member) in object { collect(member, section: section, row: row, field: path(name), into: &rows) }
    case .array(let elements) where row == nil && field.isEmpty:
      for (index, element) in elements.enumerated() {
        collect(element, section: section, row: index + 1, field: "", into: &rows)
      }
    case .array(let elements):
      for (index, element) in elements.enumerated() {
        collect(element, section: section, row: row, field: path(String(index + 1)), into: &rows)
      }
    default:
      rows.append([.string(section), row.map { .integer(Int64($0)) } ?? .null, .string(field), value])
    }
  }

  // MARK: PDF

  /// The report as a document: its single values first, then a section for each of its parts.
  var document: PDFDocument {
    var document = PDFDocument(
      title: kind.title, subtitle: "Made on \(Self.text(.time(createdAt)))", createdAt: createdAt,
      page: PDFDocument.Page.a4.landscape)
    var facts = filters.map { PDFDocument.Fact("Filter: \($0.key)", Self.text($0.value)) }
    facts.append(PDFDocument.Fact("Digest (SHA-256)", digest))
    var sections: [PDFDocument.Block] = []
    for (name, value) in data where !Self.isRepeated(name) {
      Self.add(name, value, facts: &facts, sections: &sections)
    }
    document.blocks = [.facts(facts)] + sections
    document.omissionNote =
      "\(PDFDocument.omission) stands for letters that a PDF here cannot show; the report as JSON or CSV has them."
    return document
  }

  /// The filters stand above already.
  private static func isRepeated(_ name: String) -> Bool { name == "filters" }

  private static func add(
    _ name: String, _ value: JSONValue, facts: inout [PDFDocument.Fact], sections: inout [PDFDocument.Block]
  ) {
    switch value {
    case .object(let object):
      var own: [PDFDocument.Fact] = []
      var below: [PDFDocument.Block] = []
      for (member, value) in object {
        let isTable = value.array?.contains { $0.object != nil } ?? false
        if isTable {
          add("\(name): \(member)", value, facts: &own, sections: &below)
        } else {
          own.append(PDFDocument.Fact(title(member), text(value)))
        }
      }
      sections.append(.heading(title(name)))
      if !own.isEmpty { sections.append(.facts(own)) }
      sections += below
    case .array(let elements) where elements.isEmpty || elements.contains { $0.object != nil }:
      sections.append(.heading(title(name)))
      sections += rows(elements.compactMap(\.object))
    default:
      facts.append(PDFDocument.Fact(title(name), text(value)))
    }
  }

  /// A list for a narrow page. A single row becomes facts; for several rows, what is the same in all is shown once above
  /// them. The number that only orders the rows is left out.
  private static func rows(_ objects: [JSONObject]) -> [PDFDocument.Block] {
    if let only = objects.first, objects.count == 1 {
      return [.facts(only.map { PDFDocument.Fact(title($0.key), text($0.value)) })]
    }
    var columns: [String] = []
    for key in objects.flatMap(\.keys) where key != "sequence" && !columns.contains(key) { columns.append(key) }
    // The first column stays, so that every row is seen.
    let common = columns.dropFirst().filter { column in
      guard let value = objects.first?[column] else { return false }
      return objects.allSatisfy { $0[column] == value }
    }
    columns.removeAll(where: common.contains)
    var blocks: [PDFDocument.Block] = []
    if let first = objects.first, !common.isEmpty {
      let facts = common.map { "\(title($0)): \(first[$0].map(text) ?? "")" }
      blocks.append(.note("The same in every row: \(facts.joined(separator: "; "))"))
    }
    let table = PDFDocument.Table(
      columns: columns.map { column in
        let areNumbers = objects.allSatisfy { $0[column].map { $0.integer != nil } ?? true }
        return PDFDocument.Column(title(column), alignment: areNumbers ? .trailing : .leading)
      }, rows: objects.map { object in columns.map { object[$0].map(text) ?? "" } })
    return blocks + [.table(table)]
  }

  /// `consumed_change` becomes `Consumed change`.
  private static func title(_ name: String) -> String {
    let words = name.replacing("_", with: " ")
    return words.prefix(1).uppercased() + words.dropFirst()
  }

  /// A value as a person reads it.
  private static func text(_ value: JSONValue) -> String {
    switch value {
    case .null: return ""
    case .bool(let value): return value ? "yes" : "no"
    case .integer(let value): return String(value)
    case .decimal(let text): return text
    case .string(let text):
      return RFC3339.date(from: text) != nil && text.hasSuffix("Z")
        ? text.replacing("T", with: " ").replacing("Z", with: " UTC") : text
    case .array(let elements): return elements.map(Self.text).joined(separator: ", ")
    case .object(let object): return object.map { "\($0.key): \(Self.text($0.value))" }.joined(separator: ", ")
    }
  }
}

/// Columns and rows of single values.
struct ReportTable: Hashable, Sendable {
  var columns: [String]
  var rows: [[JSONValue]]

  init(columns: [String], rows: [[JSONValue]]) {
    self.columns = columns
    self.rows = rows
  }

  init(columns: [String], objects: [JSONObject]) {
    self.init(columns: columns, rows: objects.map { object in columns.map { object[$0] ?? .null } })
  }
}

/// Comma-separated values as RFC 4180 writes them: CRLF, quotes where they are needed.
enum CSV {
  static func encode(_ table: ReportTable) -> [UInt8] {
    var bytes: [UInt8] = []
    for row in [table.columns.map { JSONValue.string($0) }] + table.rows {
      for (index, value) in row.enumerated() {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        bytes.append(contentsOf: cell(value).utf8)
      }
      bytes.append(contentsOf: "\r\n".utf8)
    }
    return bytes
  }

  /// A text that a spreadsheet would read as a formula gets an apostrophe in front, which makes it plain text there. Numbers
  /// are our own and stay numbers.
  static func cell(_ value: JSONValue) -> String {
    switch value {
    case .null: return ""
    case .string(let text): return quoted(isFormula(text) ? "'" + text : text)
    default: return quoted(value.text())
    }
  }

  /// Compares scalars, as spreadsheets do: a combining mark after a sign makes another character of it, but the formula still
  /// begins. Some spreadsheets skip invisible characters before the sign.
  private static func isFormula(_ text: String) -> Bool {
    if let first = text.unicodeScalars.first, ["\t", "\r", "\n"].contains(first) { return true }
    guard let first = BlankText.trimmed(text).unicodeScalars.first else { return false }
    return formulaSigns.contains(first)
  }

  /// With their full-width forms, which count as the same where they are typed.
  private static let formulaSigns: Set<Unicode.Scalar> = [
    "=", "+", "-", "@", "\u{FF1D}", "\u{FF0B}", "\u{FF0D}", "\u{FF20}",
  ]

  private static func quoted(_ text: String) -> String {
    let special = [",", "\"", "\r", "\n"].map { UInt8(ascii: $0) }
    guard text.utf8.contains(where: special.contains) else { return text }
    var quoted = String.UnicodeScalarView()
    quoted.append("\"")
    for scalar in text.unicodeScalars {
      if scalar == "\"" { quoted.append(scalar) }
      quoted.append(scalar)
    }
    quoted.append("\"")
    return String(quoted)
  }
}
