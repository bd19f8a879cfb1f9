import Foundation
import JSON
import LicenseKitAPI
import Postgres
import ServerKit

/// What `getUsageSummary` is asked.
struct UsageSummaryRequest: Sendable {
  static let parameters = [
    "limit", "from", "to", "group_by", "bucket", "product_id", "customer_id", "license_id", "order_id",
    "subscription_id",
    "feature_code",
  ]

  var window: ReportWindow
  var filter: UsageFilter
  var groupBy: [UsageDimension]
  var bucket: ReportBucket?
  /// Groups wanted.
  var limit: Int

  /// Groups times buckets of one answer.
  static let maximumCells = 20_000
  static let maximumDays = 366
  static let maximumDaysByHour = 31

  init(query: QueryReader, size: ReportSize, now: Date) throws(APIFailure) {
    bucket = try Self.bucket(query)
    window = try ReportWindow(
      query, days: bucket == .hour ? 1 : 30, maximumDays: bucket == .hour ? Self.maximumDaysByHour : Self.maximumDays,
      now: now)
    filter = try UsageFilter(query: query)
    groupBy = try query.list("group_by", default: [.featureCode])
    limit = try size.limit(query)
    if let bucket {
      let buckets = (window.to.timeIntervalSince(window.from) / bucket.seconds).rounded(.up) + 1
      limit = min(limit, max(1, Self.maximumCells / Int(buckets)))
    }
  }

  private static func bucket(_ query: QueryReader) throws(APIFailure) -> ReportBucket? {
    guard let text = try query.text("bucket") else { return nil }
    switch ReportBucket(rawValue: text) {
    case .hour: return .hour
    case .day: return .day
    default: throw .invalidQuery(field: "bucket", "must be one of 1h, 1d")
    }
  }
}

/// Usage added up by groups, and within them by time. The totals include everything that matches, even groups that are not
/// shown.
struct UsageSummary: Sendable {
  struct Group: Sendable {
    var values: JSONObject
    var totals: UsageTotals
    var firstAt: Date
    var lastAt: Date
    var buckets: [(start: Date, totals: UsageTotals)] = []
  }

  var totals: UsageTotals
  /// The greatest first.
  var groups: [Group]
  /// Whether there are more groups.
  var truncated: Bool

  /// One statement, so that the totals and the groups are of one moment.
  static func load(
    _ filter: UsageFilter, window: ReportWindow, groupBy dimensions: [UsageDimension], bucket: ReportBucket? = nil,
    limit: Int, for caller: Caller, in transaction: PostgresTransaction
  ) async throws -> UsageSummary {
    let names = UsageDimension.names(dimensions)
    let slice = bucket?.start(of: "created_at") ?? "NULL::timestamptz"
    let rows = try await transaction.query(
      """
      WITH matched AS MATERIALIZED (
        SELECT \(fragment: UsageDimension.columns(dimensions)), \(fragment: slice) AS slice,
               min(created_at) AS first_at, max(created_at) AS last_at,
               \(fragment: UsageTotals.columns)
          FROM license_server.usage_ledger
         WHERE tenant_id = \(caller.tenant) AND \(fragment: window.sequences)\(fragment: filter.conditions)
         GROUP BY \(unescaped: (1...dimensions.count + 1).map(String.init).joined(separator: ", "))
      ), totals AS (
        SELECT coalesce(sum(consumed), 0) AS consumed, coalesce(sum(uses), 0) AS uses,
               coalesce(sum(net_change), 0) AS net_change
          FROM matched
      ), groups AS (
        SELECT \(fragment: names), sum(consumed) AS consumed, sum(uses) AS uses, sum(net_change) AS net_change,
               min(first_at) AS first_at, max(last_at) AS last_at,
               row_number() OVER (ORDER BY sum(consumed) DESC, \(fragment: names)) AS rank
          FROM matched
         GROUP BY \(fragment: names)
         ORDER BY rank
         LIMIT \(limit + 1)
      )
      SELECT \(fragment: UsageTotals.shown("t.", as: "all_")),
             \(unescaped: dimensions.map { "g.\($0.rawValue)" }.joined(separator: ", ")), g.rank, g.first_at, g.last_at,
             \(fragment: UsageTotals.shown("g.", as: "group_")),
             m.slice, \(fragment: UsageTotals.shown("m."))
        FROM totals t
        LEFT JOIN groups g ON true
        LEFT JOIN matched m ON \(unescaped: dimensions.map { "m.\($0.rawValue) = g.\($0.rawValue)" }.joined(separator: " AND "))
                           AND m.slice IS NOT NULL
       ORDER BY g.rank, m.slice
      """)
    var summary = UsageSummary(totals: UsageTotals(), groups: [], truncated: false)
    for row in rows {
      summary.totals = try UsageTotals(row: row, prefix: "all_")
      guard let rank = try row.get("rank", as: Int?.self) else { continue }
      guard rank <= limit else {
        summary.truncated = true
        break
      }
      if rank > summary.groups.count {
        summary.groups.append(
          Group(
            values: try UsageDimension.values(dimensions, of: row), totals: try UsageTotals(row: row, prefix: "group_"),
            firstAt: try row.get("first_at"), lastAt: try row.get("last_at")))
      }
      if let start = try row.get("slice", as: Date?.self) {
        summary.groups[rank - 1].buckets.append((start, try UsageTotals(row: row)))
      }
    }
    return summary
  }

  var groupsJSON: JSONValue {
    .array(
      groups.map { group in
        var object = group.values.adding(group.totals.json)
        object.set("first_at", group.firstAt)
        object.set("last_at", group.lastAt)
        if !group.buckets.isEmpty {
          object["buckets"] = .array(
            group.buckets.map { .object((["start": .time($0.start)] as JSONObject).adding($0.totals.json)) })
        }
        return .object(object)
      })
  }
}
