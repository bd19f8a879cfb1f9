import Cryptography
import Foundation
import HTTPTransport
import Identity
import JSON
import LicenseKitAPI
import LicenseKitHTTP
import PDFDocuments
import Postgres
import TestSupport
import Testing

@testable import LicenseServer

@Suite("Exports: a report as it was at one moment")
struct ReportExportTests {
  private func create(_ fixture: Fixture, _ body: String, status: Int = 201) async throws -> Reply {
    let reply = try await fixture.send("POST", "/api/v1/reports/exports", body)
    #expect(reply.status == status, "\(body): \(reply.text)")
    return reply
  }

  private func download(_ fixture: Fixture, _ created: Reply) async throws -> Reply {
    let path = try #require(created.data?["download_url"]?.string)
    let reply = try await fixture.send("GET", path, headers: [("Accept", "application/json")])
    #expect(reply.status == 200)
    return reply
  }

  @Test("each report in each format: the metadata of the contract, digests that hold, and bytes that never change")
  func formats() async throws {
    try await withLicenseServer { fixture in
      let sale = try await Sale.make(fixture)
      try await sale.consume(3, fixture)
      await fixture.flush()
      let window = #""from":"2026-03-01T00:00:00Z","to":"2026-04-01T00:00:00Z""#
      let kinds = [
        ("usage-summary", "{\(window)}"), ("usage-ledger", "{\(window)}"),
        ("license-audit", #"{"license_id":"\#(sale.license.id)",\#(window)}"#),
        ("customer-summary", #"{"customer_id":"\#(sale.customer.id)",\#(window)}"#),
        ("subscription-settlement", #"{"subscription_id":"\#(sale.subscription.id)",\#(window)}"#),
      ]
      for (kind, filters) in kinds {
        var digests: Set<String> = []
        var kept: [(Reply, [UInt8])] = []
        for (format, type) in [
          ("json", "application/json"), ("csv", "text/csv; charset=utf-8"), ("pdf", "application/pdf"),
        ] {
          let created = try await create(
            fixture, #"{"report_kind":"\#(kind)","format":"\#(format)","filters":\#(filters)}"#)
          let data = try #require(created.data?.object)
          #expect(
            data.keys == [
              "id", "report_kind", "format", "status", "filters", "digest", "artifact_digest", "content_type",
              "created_by", "created_at", "updated_at", "download_url",
            ])
          #expect(data["status"] == "completed" && data["content_type"]?.string == type)
          #expect(data["filters"] == (try JSONValue(parsing: filters)))
          #expect(data["created_by"]?.string?.hasPrefix("key_") == true)
          let file = try await download(fixture, created)
          let digest = Hex.encode(SHA256.hash(file.response.body))
          #expect(data["artifact_digest"]?.string == digest)
          #expect(file.response.headers["ETag"] == "\"\(digest)\"")
          #expect(file.response.headers["Content-Type"] == type)
          #expect(
            file.response.headers["Content-Disposition"]?.hasPrefix("attachment; filename=\"\(kind)-exp_") == true)
          let got = try await fixture.report("reports/exports/\(data["id"]?.string ?? "")")
          #expect(got.data == created.data)
          digests.insert(data["digest"]?.string ?? "")
          kept.append((created, file.response.body))
        }
        #expect(digests.count == 1, "\(kind): the digest is of the content, not of its form")
        try await sale.consume(1, fixture)
        for (created, bytes) in kept { #expect(try await download(fixture, created).response.body == bytes) }
        let later = try await create(fixture, #"{"report_kind":"\#(kind)","filters":\#(filters)}"#)
        #expect(!digests.contains(later.data?["digest"]?.string ?? ""), "\(kind): other content, another digest")
      }
      let events = try await fixture.admin.listEvents(EventFilter(eventType: "report_export.created"))
      #expect(events.events.count == kinds.count * 4)
    }
  }

  @Test("the digest can be worked out from the downloaded JSON, which agrees with the report's own answer")
  func verifiable() async throws {
    try await withLicenseServer { fixture in
      let sale = try await Sale.make(fixture)
      try await sale.consume(3, fixture)
      let created = try await create(fixture, #"{"report_kind":"usage-summary","filters":{"group_by":"license_id"}}"#)
      #expect(created.data?["format"] == "json")
      let file = try #require(try await download(fixture, created).json)
      let content: JSONValue = [
        "report_kind": file["report_kind"] ?? nil, "filters": file["filters"] ?? nil, "data": file["data"] ?? nil,
      ]
      #expect(SHA256.hexHash(content.canonicalText()) == created.data?["digest"]?.string)
      #expect(file["digest"] == created.data?["digest"])
      #expect(file["data"] == (try await fixture.report("reports/usage-summary?group_by=license_id").data))
    }
  }

  @Test("CSV is a table whose sum is the total, by RFC 4180, and no text in it can act as a formula")
  func csv() async throws {
    try await withLicenseServer { fixture in
      let sale = try await Sale.make(fixture)
      for amount in [3, 4, 5] { try await sale.consume(Int64(amount), fixture) }
      let created = try await create(fixture, #"{"report_kind":"usage-ledger","format":"csv"}"#)
      let text = try await download(fixture, created).text
      let lines = text.components(separatedBy: "\r\n")
      #expect(lines.count == 5 && lines.last == "")
      let columns = lines[0].components(separatedBy: ",")
      let amount = try #require(columns.firstIndex(of: "amount"))
      #expect(lines[1...3].reduce(0) { $0 + (Int($1.components(separatedBy: ",")[amount]) ?? 0) } == 12)
    }
    #expect(CSV.cell("=HYPERLINK(\"x\")") == "\"'=HYPERLINK(\"\"x\"\")\"")
    for text in ["+1", "-1", "@a", "\ta"] { #expect(CSV.cell(.string(text)) == "'" + text) }
    for text in ["\ra", "\na", "\r\na"] { #expect(CSV.cell(.string(text)) == "\"'" + text + "\"") }
    for text in ["=\u{FE0F}1", "@\u{301}SUM", "\u{200B}=1", "\u{FEFF}+1", " =1", "\u{FF1D}1", "\u{FF20}a", "\u{0}-1"] {
      #expect(Array(CSV.cell(.string(text)).utf8) == Array(("'" + text).utf8))
    }
    #expect(
      Array(CSV.cell(.string("a\"\u{FE0F},b\"\u{301}")).utf8) == Array("\"a\"\"\u{FE0F},b\"\"\u{301}\"".utf8))
    #expect(CSV.cell(-5) == "-5" && CSV.cell(.null) == "" && CSV.cell(true) == "true")
    #expect(CSV.cell("a,b") == "\"a,b\"" && CSV.cell("plain text") == "plain text" && CSV.cell("é") == "é")
    let table = ReportTable(columns: ["a", "b"], rows: [["x", 1], [.null, "y\r\nz"]])
    #expect(String(decoding: CSV.encode(table), as: UTF8.self) == "a,b\r\nx,1\r\n,\"y\r\nz\"\r\n")
  }

  @Test("a report of several parts is written value by value, and in a document part by part")
  func parts() {
    let content = ReportContent(
      kind: .licenseAudit, filters: ["license_id": "lic_1"],
      data: [
        "license": ["id": "lic_1", "status": "active"], "events": [["event_type": "a", "metadata": ["x": 1]]],
        "truncated": false,
      ], createdAt: Date(timeIntervalSince1970: 0))
    #expect(
      content.table.rows == [
        ["license", .null, "id", "lic_1"], ["license", .null, "status", "active"], ["events", 1, "event_type", "a"],
        ["events", 1, "metadata.x", 1], ["truncated", .null, "", false],
      ])
    #expect(content.document.title == "License audit")
    #expect(content.document.blocks.contains(.heading("Events")))
    #expect(
      content.document.blocks.contains(.facts([.init("Event type", "a"), .init("Metadata", "x: 1")])), "a single row")
    let ledger = ReportContent(
      kind: .usageLedger, filters: [:],
      data: [
        "entries": [
          ["sequence": 2, "action": "consume", "license_id": "lic_1", "amount": 5],
          ["sequence": 1, "action": "reset", "license_id": "lic_1", "amount": 7],
        ]
      ], createdAt: Date(timeIntervalSince1970: 0))
    #expect(ledger.document.blocks.contains(.note("The same in every row: License id: lic_1")))
    #expect(
      ledger.document.blocks.contains(
        .table(
          .init(
            columns: [.init("Action"), .init("Amount", alignment: .trailing)],
            rows: [["consume", "5"], ["reset", "7"]]))))
  }

  @Test("what is wrong with a request is a 400 that names it, and an export is complete or refused")
  func refusals() async throws {
    try await withLicenseServer { fixture in
      let sale = try await Sale.make(fixture)
      for (body, field) in [
        ("{}", "report_kind"), (#"{"report_kind":"gossip"}"#, "report_kind"), (#"{"report_kind":7}"#, "report_kind"),
        (#"{"report_kind":"usage-ledger","format":"xls"}"#, "format"),
        (#"{"report_kind":"usage-ledger","filters":[]}"#, "filters"),
        (#"{"report_kind":"usage-ledger","filters":{"colour":"red"}}"#, "filters.colour"),
        (#"{"report_kind":"usage-ledger","filters":{"cursor":5}}"#, "filters.cursor"),
        (#"{"report_kind":"usage-ledger","filters":{"license_id":{}}}"#, "filters.license_id"),
        (#"{"report_kind":"usage-summary","filters":{"from":"soon"}}"#, "from"),
        (#"{"report_kind":"license-audit"}"#, "license_id"), ("[]", "object"), ("{", ""), ("", ""),
      ] {
        let reply = try await create(fixture, body, status: 400)
        #expect(field.isEmpty || reply.detail?.contains(field) == true, "\(body): \(reply.text)")
      }
      #expect(
        try await fixture.send("POST", "/api/v1/reports/exports", #"{"report_kind":"usage-ledger","x":1}"#).status
          == 201)
      try await fixture.database.client.query(
        """
        INSERT INTO license_server.usage_ledger
               (tenant_id, sequence, created_at, action, license_id, product_id, policy_id, feature_id, feature_code,
                amount, consumed_change, actor_type, actor_id)
        SELECT 'default', n, to_timestamp(0), 'consume', \(sale.license.id), 'p', 'q', 'f', 'c', 1, 1, 'license', 'l'
          FROM generate_series(1, 10001) n
        """)
      let tooMany = try await create(fixture, #"{"report_kind":"usage-ledger"}"#, status: 400)
      #expect(tooMany.detail?.contains("10000 rows") == true)
      let limited = try await create(fixture, #"{"report_kind":"usage-ledger","filters":{"limit":2}}"#)
      #expect(try await download(fixture, limited).json?["data"]?["entries"]?.array?.count == 2)
      let whole = try await create(fixture, #"{"report_kind":"usage-ledger","format":"pdf","filters":{"limit":2000}}"#)
      let wholeFile = try await download(fixture, whole).response.body
      #expect(wholeFile.starts(with: Array("%PDF".utf8)))
    }
  }

  @Test("another tenant's export is 404, and reading needs the scope that making needs")
  func tenants() async throws {
    try await withLicenseServer { fixture in
      let created = try await create(fixture, #"{"report_kind":"usage-summary"}"#)
      let id = try #require(created.data?["id"]?.string)
      let other = try await fixture.otherTenant()
      let reader = try await fixture.admin.createAPIKey(APIKeyCreateRequest(name: "r", scopes: [.reportRead])).token
      for path in ["exports/\(id)", "exports/\(id)/download"] {
        let foreign = try await fixture.send("GET", "/api/v1/reports/\(path)", authorization: other.authorization)
        #expect(foreign.status == 404 && foreign.code == "NOT_FOUND")
        let refused = try await fixture.send("GET", "/api/v1/reports/\(path)", authorization: "Bearer \(reader)")
        #expect(refused.status == 403 && refused.detail == "requires report:export")
      }
      #expect(try await fixture.send("GET", "/api/v1/reports/exports/exp_none").status == 404)
      #expect(try await fixture.send("GET", "/api/v1/reports/exports/exp_none/download").status == 404)
    }
  }
}
