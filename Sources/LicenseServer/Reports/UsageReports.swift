import Foundation
import JSON
import LicenseKitAPI
import Postgres
import ServerKit

/// What `listUsageLedger` is asked.
struct UsageLedgerRequest: Sendable {
  static let parameters = [
    "limit", "from", "to", "action", "product_id", "customer_id", "license_id", "order_id", "subscription_id",
    "feature_code",
  ]

  var cursor: Int64?
  var limit: Int
  var from: Date?
  var to: Date?
  var action: UsageLedger.Action?
  var filter: UsageFilter

  init(query: QueryReader, size: ReportSize) throws(APIFailure) {
    cursor = try query.int("cursor", in: 1...Int.max).map { Int64($0) }
    limit = try size.limit(query)
    (from, to) = (try query.date("from"), try query.date("to"))
    if let from, let to, from >= to { throw .invalidQuery(field: "from", "must be earlier than to") }
    action = try query.value("action")
    filter = try UsageFilter(query: query)
  }
}

/// Usage, added up and entry by entry.
struct UsageReports: Sendable {
  let store: TenantStore
  let clock: ServerClock

  func summary(_ request: UsageSummaryRequest, for caller: Caller) async throws -> JSONObject {
    let summary = try await store.transaction(caller.tenant, readOnly: true) { transaction in
      try await UsageSummary.load(
        request.filter, window: request.window, groupBy: request.groupBy, bucket: request.bucket, limit: request.limit,
        for: caller, in: transaction)
    }
    var report: JSONObject = [
      "window": request.window.json, "filters": .object(request.filter.json),
      "group_by": .array(request.groupBy.map { .string($0.rawValue) }),
    ]
    report.set("bucket", request.bucket?.rawValue)
    report["totals"] = .object(summary.totals.json)
    report["groups"] = summary.groupsJSON
    report["truncated"] = .bool(summary.truncated)
    return report
  }

  /// One page of the ledger, newest first.
  func ledger(_ request: UsageLedgerRequest, for caller: Caller) async throws -> ReportPage {
    var query: PostgresQuery = """
      SELECT sequence, created_at, action, license_id, product_id, policy_id, customer_id, order_id, subscription_id,
             feature_id, feature_code, amount, consumed_change, total_consumptions, max_consumptions, event_id,
             actor_type, actor_id
        FROM license_server.usage_ledger
       WHERE tenant_id = \(caller.tenant)\(fragment: request.filter.conditions)
      """
    if let cursor = request.cursor { query.append(" AND sequence < \(cursor)") }
    if let from = request.from { query.append(" AND sequence >= \(TimeSequence.first(at: from))") }
    if let to = request.to { query.append(" AND sequence < \(TimeSequence.first(at: to))") }
    // A constant, not a parameter: only then can the database know that the index of all actions except use fits.
    if let action = request.action { query.append(" AND action = '\(unescaped: action.rawValue)'") }
    query.append(" ORDER BY sequence DESC LIMIT \(request.limit + 1)")
    let complete = query
    let found = try await store.transaction(caller.tenant, readOnly: true) { transaction in
      try await transaction.query(complete).all { (try $0.get("sequence", as: Int64.self), try Self.json($0)) }
    }
    return ReportPage(found, limit: request.limit)
  }

  private static func json(_ row: PostgresRow) throws -> JSONValue {
    var object = JSONObject()
    object.set("sequence", try row.get("sequence", as: Int64.self))
    object.set("created_at", try row.get("created_at", as: Date.self))
    try object.take(
      "action", "license_id", "product_id", "policy_id", "customer_id", "order_id", "subscription_id", "feature_id",
      "feature_code", from: row)
    for column in ["amount", "consumed_change", "total_consumptions", "max_consumptions"] {
      object.set(column, try row.get(column, as: Int64?.self))
    }
    try object.take("event_id", "actor_type", "actor_id", from: row)
    return .object(object)
  }
}
