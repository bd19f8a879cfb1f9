import Cryptography
import Foundation
import Identity
import JSON
import LicenseKitAPI
import Logging
import PDFDocuments
import Postgres
import ServerKit

/// Reports that are run once and stored unchanged, to be downloaded any number of times.
struct ReportExports: Sendable {
  /// The largest size of one export.
  static let maximumBytes = 16 << 20

  let store: TenantStore
  let clock: ServerClock
  let usage: UsageReports
  let subjects: SubjectReports
  let pdf = PDFRenderer()

  /// Runs the report, writes it in the format and keeps it.
  ///
  /// - Throws: 400 for filters that the report does not take and for one with more rows or bytes than an export may have;
  ///   404 for a subject that is not there; 503 when too many documents are being drawn.
  func create(_ request: ReportExportRequest, for caller: Caller) async throws -> ReportExport {
    let now = clock.now()
    let content = try await content(request, at: now, for: caller)
    let artifact = try await artifact(content, request.format)
    guard artifact.count <= Self.maximumBytes else {
      throw APIFailure.invalidQuery(
        field: "filters", "the export would have \(artifact.count) bytes, more than \(Self.maximumBytes); narrow it")
    }
    let id = ReportExportID(Random.id(prefix: "exp_"))
    let export = ReportExport(
      id: id, reportKind: request.kind, format: request.format, status: "completed", filters: request.filters,
      digest: content.digest, artifactDigest: Hex.encode(SHA256.hash(artifact)),
      contentType: request.format.contentType, createdBy: caller.actor.id, createdAt: now, updatedAt: now,
      downloadURL: ReportExport.downloadURL(id))
    try await store.transaction(caller.tenant) { transaction in
      try await transaction.query(
        """
        INSERT INTO license_server.report_exports
               (tenant_id, id, report_kind, format, status,
                filters, digest, artifact_digest, content_type,
                artifact, created_by, created_at, updated_at)
        VALUES (\(caller.tenant), \(id), \(export.reportKind.rawValue), \(export.format.rawValue), \(export.status),
                \(export.filters.stored)::json, \(export.digest), \(export.artifactDigest), \(export.contentType),
                \(artifact), \(export.createdBy), \(now), \(now))
        """)
      try await EventLog.append(
        .reportExportCreated, id.rawValue, by: caller, at: now,
        metadata: [
          "report_kind": .string(export.reportKind.rawValue), "format": .string(export.format.rawValue),
          "digest": .string(export.digest),
        ], in: transaction)
    }
    return export
  }

  /// - Throws: 404 for an unknown id.
  func get(_ id: ReportExportID, for caller: Caller) async throws -> ReportExport {
    try await store.transaction(caller.tenant, readOnly: true) { transaction in
      try await Self.find(id, columns: Self.columns, for: caller, in: transaction) { try ReportExport(row: $0) }
    }
  }

  /// The bytes, as they were written.
  /// - Throws: 404 for an unknown id.
  func download(_ id: ReportExportID, for caller: Caller) async throws -> (export: ReportExport, artifact: [UInt8]) {
    try await store.transaction(caller.tenant, readOnly: true) { transaction in
      try await Self.find(id, columns: "\(fragment: Self.columns), artifact", for: caller, in: transaction) {
        (try ReportExport(row: $0), try $0.get("artifact", as: [UInt8].self))
      }
    }
  }

  private static func find<T>(
    _ id: ReportExportID, columns: PostgresQuery, for caller: Caller, in transaction: PostgresTransaction,
    _ read: (PostgresRow) throws -> T
  ) async throws -> T {
    let rows = try await transaction.query(
      """
      SELECT \(fragment: columns)
        FROM license_server.report_exports
       WHERE tenant_id = \(caller.tenant) AND id = \(id)
      """)
    guard let row = rows.first else { throw APIFailure.notFound("report export") }
    return try read(row)
  }

  private static let columns: PostgresQuery = """
    id, report_kind, format, status, filters::text AS filters, digest, artifact_digest, content_type, created_by,
    created_at, updated_at
    """

  private func content(
    _ request: ReportExportRequest, at now: Date, for caller: Caller
  ) async throws -> ReportContent {
    let query = try request.query()
    let isLimited = request.filters["limit"].map { !$0.isNull } ?? false
    let data: JSONObject
    switch request.kind {
    case .usageSummary:
      data = try await usage.summary(UsageSummaryRequest(query: query, size: .export, now: now), for: caller)
    case .usageLedger:
      let ledger = try UsageLedgerRequest(query: query, size: .export)
      let page = try await usage.ledger(ledger, for: caller)
      data = [
        "filters": .object(ledger.filter.json), "entries": .array(page.rows),
        "truncated": .bool(page.nextCursor != nil),
      ]
    case .licenseAudit:
      data = try await subjects.audit(LicenseAuditRequest(query: query, size: .export, now: now), for: caller)
    case .customerSummary:
      data = try await subjects.customer(CustomerSummaryRequest(query: query, size: .export, now: now), for: caller)
    case .subscriptionSettlement:
      data = try await subjects.settlement(SettlementRequest(query: query, size: .export, now: now), for: caller)
    }
    // A request for the first so many rows gets them; a request for all rows gets all or nothing.
    if data["truncated"] == true, !isLimited {
      throw APIFailure.invalidQuery(
        field: "filters",
        "the report has more than the \(ReportSize.exportRows) rows that an export may have; narrow it, or give a limit"
      )
    }
    return ReportContent(kind: request.kind, filters: request.filters, data: data, createdAt: now)
  }

  private func artifact(_ content: ReportContent, _ format: ReportExportFormat) async throws -> [UInt8] {
    switch format {
    case .json: return content.json()
    case .csv: return CSV.encode(content.table)
    case .pdf:
      do { return try await pdf.render(content.document) } catch {
        switch error {
        case .tooManyPages(let limit):
          throw APIFailure.invalidQuery(field: "filters", "the document would have more than \(limit) pages; narrow it")
        case .overloaded: throw APIFailure.unavailable("too many documents are being written")
        case .unavailable:
          store.logger.error("a report could not be drawn", metadata: ["error": "\(error)"])
          throw APIFailure.unavailable(
            "PDF is not available here; CSV and JSON are", code: "PDF_UNAVAILABLE")
        case .paperTooSmall, .drawing:
          store.logger.error("a report could not be drawn", metadata: ["error": "\(error)"])
          throw APIFailure.internalError
        }
      }
    }
  }
}

extension ReportExport {
  init(row: PostgresRow) throws {
    let id: ReportExportID = try row.get("id")
    self.init(
      id: id, reportKind: try row.value("report_kind"), format: try row.value("format"),
      status: try row.get("status"),
      filters: try JSONValue(parsing: row.get("filters", as: String.self)).object ?? [:],
      digest: try row.get("digest"), artifactDigest: try row.get("artifact_digest"),
      contentType: try row.get("content_type"), createdBy: try row.get("created_by"),
      createdAt: try row.get("created_at"), updatedAt: try row.get("updated_at"),
      downloadURL: ReportExport.downloadURL(id))
  }
}
