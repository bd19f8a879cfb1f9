import Foundation
import Identity
import JSON
import LicenseKitAPI
import Postgres
import ServerKit

/// What runtime requests can be narrowed by.
struct RuntimeFilter: Hashable, Sendable {
  /// Product, customer and license.
  var records = UsageFilter()
  var appVersion: String?
  var endpoint: RuntimeEndpoint?

  init(query: QueryReader, isAboutErrors: Bool) throws(APIFailure) {
    (records.productID, records.customerID) = (try query.id("product_id"), try query.id("customer_id"))
    records.licenseID = try query.id("license_id")
    guard isAboutErrors else { return }
    (appVersion, endpoint) = (try query.text("app_version"), try query.value("endpoint"))
  }

  /// The source of the answer. Counts include every request, but only with its endpoint and result. Entries say whose request
  /// it was, but do not exist for successful validations, checks and heartbeats.
  enum Basis: String, Sendable {
    case counts, activities
  }

  var basis: Basis {
    records == UsageFilter() && appVersion == nil ? .counts : .activities
  }

  /// The matching requests of a tenant as rows of `time, endpoint, result_class, reason_code, requests`.
  func rows(_ window: ReportWindow, for caller: Caller) -> PostgresQuery {
    switch basis {
    case .counts:
      var query: PostgresQuery = """
        SELECT bucket AS time, endpoint, result_class, reason_code, requests
          FROM license_server.runtime_counts
         WHERE tenant_id = \(caller.tenant) AND bucket >= \(window.from.startOfCount) AND bucket < \(window.to)
        """
      if let endpoint { query.append(" AND endpoint = \(endpoint.rawValue)") }
      return query
    case .activities:
      var query: PostgresQuery = """
        SELECT created_at AS time, endpoint, result_class, coalesce(reason_code, '') AS reason_code, 1::bigint AS requests
          FROM license_server.activities
         WHERE tenant_id = \(caller.tenant) AND \(fragment: window.sequences) AND source = 'runtime'\(fragment: records.conditions)
        """
      if let appVersion { query.append(" AND app_version = \(appVersion)") }
      if let endpoint { query.append(" AND endpoint = \(endpoint.rawValue)") }
      return query
    }
  }

  var json: JSONObject {
    var object = records.json
    object.set("app_version", appVersion)
    object.set("endpoint", endpoint?.rawValue)
    return object
  }
}

extension Date {
  /// The beginning of the five minutes that this moment is counted in.
  fileprivate var startOfCount: Date {
    Date(timeIntervalSince1970: (timeIntervalSince1970 / ActivityWriter.bucket).rounded(.down) * ActivityWriter.bucket)
  }
}

/// What `getOpsSummary` is asked.
struct OpsSummaryRequest: Sendable {
  static let defaultDays = 1
  static let maximumDays = 92

  var window: ReportWindow
  var filter: RuntimeFilter

  init(query: QueryReader, now: Date) throws(APIFailure) {
    window = try ReportWindow(query, days: Self.defaultDays, maximumDays: Self.maximumDays, now: now)
    filter = try RuntimeFilter(query: query, isAboutErrors: false)
  }
}

/// What `listRuntimeErrorGroups` is asked.
struct RuntimeErrorsRequest: Sendable {
  enum Dimension: String, CaseIterable, Hashable, Sendable {
    case time, endpoint
    case reasonCode = "reason_code"
    case resultClass = "result_class"
  }

  var window: ReportWindow
  var filter: RuntimeFilter
  var groupBy: [Dimension]
  var bucket: ReportBucket
  var limit: Int

  init(query: QueryReader, now: Date) throws(APIFailure) {
    window = try ReportWindow(
      query, days: OpsSummaryRequest.defaultDays, maximumDays: OpsSummaryRequest.maximumDays, now: now)
    filter = try RuntimeFilter(query: query, isAboutErrors: true)
    groupBy = try query.list("group_by", default: [.endpoint, .reasonCode])
    bucket = try query.value("bucket") ?? .hour
    limit = try ReportSize.answer.limit(query)
  }
}

/// How the runtime does.
struct OperationsReports: Sendable {
  let store: TenantStore
  let clock: ServerClock

  /// Active devices that are counted; beyond, the answer says so.
  static let maximumDevices = 10_000

  func summary(_ request: OpsSummaryRequest, for caller: Caller) async throws -> JSONObject {
    try await store.report(caller.tenant) { transaction in
      let rows = try await transaction.query(
        """
        SELECT endpoint, result_class, reason_code, \(fragment: SaturatingSum.shown("sum(requests)")) AS requests
          FROM (\(fragment: request.filter.rows(request.window, for: caller))) found
         GROUP BY endpoint, result_class, reason_code
         ORDER BY endpoint, result_class, reason_code
        """
      ).all {
        (
          endpoint: try $0.get("endpoint", as: String.self), result: try $0.get("result_class", as: String.self),
          reason: try $0.get("reason_code", as: String.self), count: try $0.get("requests", as: Int64.self)
        )
      }
      func total(_ rows: [(endpoint: String, result: String, reason: String, count: Int64)]) -> Int64 {
        rows.reduce(0) { $0.addingSaturated($1.count) }
      }
      let byEndpoint = RuntimeEndpoint.allCases.map(\.rawValue).compactMap { endpoint -> JSONValue? in
        let own = rows.filter { $0.endpoint == endpoint }
        guard !own.isEmpty else { return nil }
        var object: JSONObject = ["endpoint": .string(endpoint), "total": .integer(total(own))]
        for result in ResultClass.allCases.map(\.rawValue) {
          object[result] = .integer(total(own.filter { $0.result == result }))
        }
        return .object(object)
      }
      let byResult = ResultClass.allCases.map(\.rawValue).map { result in
        (result, JSONValue.integer(total(rows.filter { $0.result == result })))
      }
      let failures = rows.filter { $0.result != ResultClass.success.rawValue }
      let reasons = Dictionary(grouping: failures, by: \.reason).map { (reason: $0, count: total($1)) }
        .sorted { ($1.count, $0.reason) < ($0.count, $1.reason) }

      var report: JSONObject = ["window": request.window.json, "filters": .object(request.filter.json)]
      report.set("basis", request.filter.basis.rawValue)
      report["requests"] = [
        "total": .integer(total(rows)), "by_result": .object(JSONObject(byResult)), "by_endpoint": .array(byEndpoint),
      ]
      report["refusals"] = [
        "total": .integer(total(failures)),
        "by_reason": .array(reasons.map { ["reason_code": .string($0.reason), "count": .integer($0.count)] }),
      ]
      report["active_devices"] = try await activeDevices(request.filter, for: caller, in: transaction)
      return report
    }
  }

  /// Errors by group; the newest first when the time is one of the dimensions, else the most frequent.
  func errors(_ request: RuntimeErrorsRequest, for caller: Caller) async throws -> JSONObject {
    let names = PostgresQuery(unescaped: request.groupBy.map { "\"\($0.rawValue)\"" }.joined(separator: ", "))
    let time = request.bucket.start(of: "time")
    let order: PostgresQuery = request.groupBy.contains(.time) ? "\"time\" DESC, " : ""
    let rows = try await store.report(caller.tenant) { transaction in
      try await transaction.query(
        """
        WITH found AS (
          \(fragment: request.filter.rows(request.window, for: caller))
        ), errors AS (
          SELECT \(fragment: time) AS "time", endpoint, reason_code, result_class, requests, time AS at
            FROM found
           WHERE result_class <> 'success'
        )
        SELECT \(fragment: names), \(fragment: SaturatingSum.shown("sum(requests)")) AS count,
               min(at) AS first_at, max(at) AS last_at,
               \(fragment: SaturatingSum.shown("sum(sum(requests)) OVER ()")) AS total
          FROM errors
         GROUP BY \(fragment: names)
         ORDER BY \(fragment: order)sum(requests) DESC, \(fragment: names)
         LIMIT \(request.limit + 1)
        """)
    }
    let groups = try rows.prefix(request.limit).map { row in
      var object = JSONObject()
      for dimension in request.groupBy {
        switch dimension {
        case .time: object.set("time", try row.get("time", as: Date.self))
        default: try object.take(dimension.rawValue, from: row)
        }
      }
      object.set("count", try row.get("count", as: Int64.self))
      object.set("first_at", try row.get("first_at", as: Date.self))
      object.set("last_at", try row.get("last_at", as: Date.self))
      return JSONValue.object(object)
    }
    var report: JSONObject = ["window": request.window.json, "filters": .object(request.filter.json)]
    report.set("basis", request.filter.basis.rawValue)
    report["group_by"] = .array(request.groupBy.map { .string($0.rawValue) })
    if request.groupBy.contains(.time) { report.set("bucket", request.bucket.rawValue) }
    report["total"] = .integer(try rows.first?.get("total") ?? 0)
    report["groups"] = .array(groups)
    report["truncated"] = .bool(rows.count > request.limit)
    return report
  }

  /// Devices that are active now. Counted up to a bound, or in the newest so many licenses of a product or customer: a vendor
  /// with a million of them learns that there are many.
  private func activeDevices(
    _ filter: RuntimeFilter, for caller: Caller, in transaction: PostgresTransaction
  ) async throws -> JSONValue {
    var query: PostgresQuery
    if filter.records.productID == nil && filter.records.customerID == nil {
      query = """
        SELECT count(*) AS count
          FROM (SELECT
                  FROM license_server.devices
                 WHERE tenant_id = \(caller.tenant) AND status = 'active' AND holds_seat
        """
      if let id = filter.records.licenseID { query.append(" AND license_id = \(id)") }
      query.append(" ORDER BY license_id LIMIT \(Self.maximumDevices)) found")
    } else {
      // Device by device of each license, never all devices and then the licenses they belong to.
      query = """
        SELECT \(fragment: SaturatingSum.shown("coalesce(sum(d.count), 0)")) AS count
          FROM (SELECT id
                  FROM license_server.licenses
                 WHERE tenant_id = \(caller.tenant)
        """
      if let id = filter.records.productID { query.append(" AND product_id = \(id)") }
      if let id = filter.records.customerID { query.append(" AND customer_id = \(id)") }
      if let id = filter.records.licenseID { query.append(" AND id = \(id)") }
      query.append(
        """
         ORDER BY id DESC LIMIT \(Self.maximumDevices)) l
         CROSS JOIN LATERAL (SELECT count(*) AS count
                               FROM license_server.devices
                              WHERE tenant_id = \(caller.tenant) AND license_id = l.id AND status = 'active' AND holds_seat) d
        """)
    }
    let count = try await transaction.query(query).first?.get("count", as: Int64.self) ?? 0
    return ["count": .integer(count), "capped": .bool(count >= Int64(Self.maximumDevices))]
  }
}
