import HTTPTypes
import Hummingbird
import ServerKit

/// The routes of reports.
struct ReportRoutes: Sendable {
  let services: Services

  /// Activities, reports and their exports.
  var reports: [ManagementRoute] {
    let (activities, usage, subjects) = (services.activities, services.usageReports, services.subjectReports)
    let (exports, clock) = (services.reportExports, services.clock)
    return [
      .init(.listActivities, .get, "/api/v1/activities") { call in
        try await call.page(activities.list(ActivityFilter(query: call.request.query), for: call.caller))
      },
      .init(.getUsageSummary, .get, "/api/v1/reports/usage-summary") { call in
        let request = try UsageSummaryRequest(query: call.request.query, size: .answer, now: clock.now())
        return try await call.ok(usage.summary(request, for: call.caller))
      },
      .init(.listUsageLedger, .get, "/api/v1/reports/usage-ledger") { call in
        try await call.page(
          usage.ledger(UsageLedgerRequest(query: call.request.query, size: .answer), for: call.caller))
      },
      .init(.getLicenseAuditReport, .get, "/api/v1/reports/license-audit") { call in
        let request = try LicenseAuditRequest(query: call.request.query, size: .answer, now: clock.now())
        return try await call.ok(subjects.audit(request, for: call.caller))
      },
      .init(.getCustomerSummary, .get, "/api/v1/reports/customer-summary") { call in
        let request = try CustomerSummaryRequest(query: call.request.query, size: .answer, now: clock.now())
        return try await call.ok(subjects.customer(request, for: call.caller))
      },
      .init(.getSubscriptionSettlement, .get, "/api/v1/reports/subscription-settlement") { call in
        let request = try SettlementRequest(query: call.request.query, size: .answer, now: clock.now())
        return try await call.ok(subjects.settlement(request, for: call.caller))
      },
      .init(.createReportExport, .post, "/api/v1/reports/exports") { call in
        let request = try ReportExportRequest(body: await call.request.bodyBytes(limit: 64 << 10))
        return try await call.created(exports.create(request, for: call.caller))
      },
      .init(.getReportExport, .get, "/api/v1/reports/exports/:id") { call in
        try await call.ok(exports.get(call.id(), for: call.caller))
      },
      .init(.downloadReportExport, .get, "/api/v1/reports/exports/:id/download") { call in
        try await call.download(exports.download(call.id(), for: call.caller))
      },
    ]
  }

  /// Reports on the health of the runtime.
  var operations: [ManagementRoute] {
    let (operations, clock) = (services.operationsReports, services.clock)
    return [
      .init(.getOpsSummary, .get, "/api/v1/ops/summary") { call in
        try await call.ok(
          operations.summary(OpsSummaryRequest(query: call.request.query, now: clock.now()), for: call.caller))
      },
      .init(.listRuntimeErrorGroups, .get, "/api/v1/ops/runtime-errors") { call in
        try await call.ok(
          operations.errors(RuntimeErrorsRequest(query: call.request.query, now: clock.now()), for: call.caller))
      },
    ]
  }
}

extension ManagementCall {
  fileprivate func page(_ page: ReportPage) throws -> Response {
    try Answer.page(page.rows, nextCursor: page.nextCursor, context: context)
  }

  /// The stored bytes as a file, in the export's own type whatever `Accept` says: the official clients always send
  /// `application/json`.
  fileprivate func download(_ found: (export: ReportExport, artifact: [UInt8])) -> Response {
    Answer.bytes(
      found.artifact, contentType: found.export.contentType,
      headers: [
        .contentDisposition: "attachment; filename=\"\(found.export.fileName)\"",
        .eTag: "\"\(found.export.artifactDigest)\"",
      ])
  }
}
