import Foundation
import Identity
import JSON
import LicenseKitAPI
import Postgres
import ServerKit

/// What `getSubscriptionSettlement` is asked.
struct SettlementRequest: Sendable {
  static let parameters = ["limit", "subscription_id", "order_id", "from", "to", "group_by"]

  enum Subject: Hashable, Sendable {
    case subscription(SubscriptionID)
    case order(OrderID)
  }

  var subject: Subject
  var window: ReportWindow
  var groupBy: [UsageDimension]
  /// Periods wanted, the newest; and groups within each.
  var limit: Int

  init(query: QueryReader, size: ReportSize, now: Date) throws(APIFailure) {
    let subscription: SubscriptionID? = try query.id("subscription_id")
    let order: OrderID? = try query.id("order_id")
    switch (subscription, order) {
    case (let id?, nil): subject = .subscription(id)
    case (nil, let id?): subject = .order(id)
    case (nil, nil): throw .invalidQuery(field: "subscription_id", "give it or order_id")
    case (_?, _?): throw .invalidQuery(field: "subscription_id", "give it or order_id, not both")
    }
    window = try ReportWindow(
      query, days: SubjectReports.maximumDays, maximumDays: SubjectReports.maximumDays, now: now)
    groupBy = try query.list("group_by", default: [.featureCode])
    limit = try size.limit(query)
  }
}

/// A span that was paid for, by one order or several.
struct SettlementPeriod: Hashable, Sendable {
  var start: Date
  var end: Date
  var orders: [String]

  /// Orders with the same span become one period; the newest comes first. What happens in two periods belongs to the one that
  /// began later. Pure.
  static func periods(of orders: [(id: String, start: Date, end: Date)], limit: Int) -> [SettlementPeriod] {
    var periods: [SettlementPeriod] = []
    let sorted = orders.sorted { ($0.start, $0.end, $0.id) > ($1.start, $1.end, $1.id) }
    for order in sorted {
      if let last = periods.last, last.start == order.start, last.end == order.end {
        if !order.id.isEmpty { periods[periods.count - 1].orders.append(order.id) }
      } else {
        guard periods.count < limit else { break }
        periods.append(
          SettlementPeriod(start: order.start, end: order.end, orders: order.id.isEmpty ? [] : [order.id]))
      }
    }
    return periods
  }
}

extension SubjectReports {
  /// What was used and renewed in each period of a subscription, or of one order.
  ///
  /// Usage within the window but outside all periods is listed separately, so that everything adds up to the totals.
  /// - Throws: 404 for an unknown subscription or order.
  func settlement(_ request: SettlementRequest, for caller: Caller) async throws -> JSONObject {
    let now = clock.now()
    return try await store.report(caller.tenant) { transaction in
      let (name, facts, spans) = try await subject(request, for: caller, in: transaction)
      let periods = SettlementPeriod.periods(of: spans, limit: request.limit)
      let (usage, totals) = try await self.usage(request, in: periods, for: caller, in: transaction)
      let renewals = try await renewals(request, in: periods, for: caller, in: transaction)
      let (licenses, moreLicenses) = try await licenses(request, at: now, for: caller, in: transaction)

      var report: JSONObject = ["window": request.window.json, name: .object(facts)]
      report["group_by"] = .array(request.groupBy.map { .string($0.rawValue) })
      report["totals"] = .object(
        totals.json.adding([
          "renewals": .integer(renewals.values.reduce(0) { $0.addingSaturated($1) })
        ]))
      report["periods"] = .array(
        periods.enumerated().map { index, period in
          let facts: JSONObject = [
            "start": .time(period.start), "end": .time(period.end),
            "order_ids": .array(period.orders.map { .string($0) }),
          ]
          return .object(facts.adding(Self.json(usage[index + 1], renewals: renewals[index + 1])))
        })
      report["outside_periods"] = .object(Self.json(usage[0], renewals: renewals[0]))
      report["licenses"] = .array(licenses)
      report["truncated"] = .bool(
        moreLicenses || spans.count == Self.maximumPeriods || usage.values.contains(where: \.truncated)
          || periods.count < SettlementPeriod.periods(of: spans, limit: .max).count)
      return report
    }
  }

  private static let maximumPeriods = 1_000

  private struct PeriodUsage: Sendable {
    var totals = UsageTotals()
    var groups: [JSONValue] = []
    var truncated = false
  }

  private static func json(_ usage: PeriodUsage?, renewals: Int64?) -> JSONObject {
    let usage = usage ?? PeriodUsage()
    return usage.totals.json.adding(["renewals": .integer(renewals ?? 0), "groups": .array(usage.groups)])
  }

  /// The record, what a report shows of it, and the spans that were paid for within the window.
  private func subject(
    _ request: SettlementRequest, for caller: Caller, in transaction: PostgresTransaction
  ) async throws -> (name: String, facts: JSONObject, spans: [(id: String, start: Date, end: Date)]) {
    let facts: JSONObject
    switch request.subject {
    case .order(let id):
      guard let order = try await Orders.find(id, for: caller, in: transaction) else {
        throw APIFailure.notFound("order_id")
      }
      facts = order.reportFacts
      guard let start = order.periodStart, let end = order.periodEnd else { return ("order", facts, []) }
      return ("order", facts, [(id.rawValue, start, end)])
    case .subscription(let id):
      guard let subscription = try await Subscriptions.find(id, for: caller, in: transaction) else {
        throw APIFailure.notFound("subscription_id")
      }
      var spans = try await transaction.query(
        """
        SELECT id, period_start, period_end
          FROM license_server.orders
         WHERE tenant_id = \(caller.tenant) AND subscription_id = \(id)
           AND period_start < \(request.window.to) AND period_end > \(request.window.from)
         ORDER BY period_start DESC, id DESC
         LIMIT \(Self.maximumPeriods)
        """
      ).all {
        (
          id: try $0.get("id", as: String.self), start: try $0.get("period_start", as: Date.self),
          end: try $0.get("period_end", as: Date.self)
        )
      }
      // The present period, should no order tell of it.
      let (start, end) = (subscription.currentPeriodStart, subscription.currentPeriodEnd)
      if start < request.window.to, end > request.window.from, spans.count < Self.maximumPeriods,
        !spans.contains(where: { $0.start <= start && start < $0.end })
      {
        spans.append(("", start, end))
      }
      return ("subscription", subscription.reportFacts, spans)
    }
  }

  private func condition(_ subject: SettlementRequest.Subject) -> PostgresQuery {
    switch subject {
    case .subscription(let id): "subscription_id = \(id)"
    case .order(let id): "order_id = \(id)"
    }
  }

  /// The number, from 1, of the period that a moment belongs to; 0 for none.
  private func periodColumn(_ periods: [SettlementPeriod]) -> PostgresQuery {
    """
    coalesce((SELECT p.number
                FROM unnest(\(periods.map(\.start)), \(periods.map(\.end)))
                     WITH ORDINALITY AS p (starts, ends, number)
               WHERE created_at >= p.starts AND created_at < p.ends
               ORDER BY p.number
               LIMIT 1), 0)
    """
  }

  /// The use in each period by its number, and in all of them, added up in SQL where sums do not overflow.
  private func usage(
    _ request: SettlementRequest, in periods: [SettlementPeriod], for caller: Caller,
    in transaction: PostgresTransaction
  ) async throws -> ([Int: PeriodUsage], totals: UsageTotals) {
    let names = UsageDimension.names(request.groupBy)
    let rows = try await transaction.query(
      """
      WITH entries AS (
        SELECT \(fragment: UsageDimension.columns(request.groupBy)), action, amount, consumed_change,
               \(fragment: periodColumn(periods)) AS period
          FROM license_server.usage_ledger
         WHERE tenant_id = \(caller.tenant) AND \(fragment: condition(request.subject))
           AND \(fragment: request.window.sequences)
      ), matched AS (
        SELECT period, \(fragment: names), \(fragment: UsageTotals.columns)
          FROM entries
         GROUP BY period, \(fragment: names)
      ), ranked AS (
        SELECT *,
               sum(consumed)   OVER own AS period_consumed,
               sum(uses)       OVER own AS period_uses,
               sum(net_change) OVER own AS period_net_change,
               sum(consumed)   OVER ()     AS all_consumed,
               sum(uses)       OVER ()     AS all_uses,
               sum(net_change) OVER ()     AS all_net_change,
               row_number() OVER (PARTITION BY period ORDER BY consumed DESC, \(fragment: names)) AS rank
          FROM matched
        WINDOW own AS (PARTITION BY period)
      )
      SELECT period, rank, \(fragment: names), \(fragment: UsageTotals.shown()),
             \(fragment: UsageTotals.shown("period_", as: "period_")), \(fragment: UsageTotals.shown("all_", as: "all_"))
        FROM ranked
       WHERE rank <= \(request.limit + 1)
       ORDER BY period, rank
      """)
    var usage: [Int: PeriodUsage] = [:]
    var totals = UsageTotals()
    for row in rows {
      totals = try UsageTotals(row: row, prefix: "all_")
      let period: Int = try row.get("period")
      guard try row.get("rank", as: Int.self) <= request.limit else {
        usage[period]?.truncated = true
        continue
      }
      usage[period, default: PeriodUsage()].totals = try UsageTotals(row: row, prefix: "period_")
      usage[period]?.groups.append(
        .object(try UsageDimension.values(request.groupBy, of: row).adding(try UsageTotals(row: row).json)))
    }
    return (usage, totals)
  }

  /// How many renewals each period saw, from the entries that were written with them.
  private func renewals(
    _ request: SettlementRequest, in periods: [SettlementPeriod], for caller: Caller,
    in transaction: PostgresTransaction
  ) async throws -> [Int: Int64] {
    let rows = try await transaction.query(
      """
      SELECT period, count(*) AS renewals
        FROM (SELECT \(fragment: periodColumn(periods)) AS period
                FROM license_server.activities
               WHERE tenant_id = \(caller.tenant) AND \(fragment: condition(request.subject))
                 AND \(fragment: request.window.sequences) AND action = 'license.renewed') found
       GROUP BY period
      """)
    return Dictionary(
      uniqueKeysWithValues: try rows.all {
        (try $0.get("period", as: Int.self), try $0.get("renewals", as: Int64.self))
      })
  }

  private func licenses(
    _ request: SettlementRequest, at now: Date, for caller: Caller, in transaction: PostgresTransaction
  ) async throws -> ([JSONValue], more: Bool) {
    let found = try await transaction.query(
      """
      \(fragment: LicenseRecord.selection)
       WHERE l.tenant_id = \(caller.tenant) AND l.\(fragment: condition(request.subject))
       ORDER BY l.id DESC
       LIMIT \(request.limit + 1)
      """
    ).all { JSONValue.object(try LicenseRecord(row: $0, now: now).license.reportFacts) }
    return (Array(found.prefix(request.limit)), found.count > request.limit)
  }
}

extension Order {
  /// What a report shows of an order.
  fileprivate var reportFacts: JSONObject {
    var object: JSONObject = ["id": .string(id.rawValue), "product_id": .string(productID.rawValue)]
    object.set("customer_id", customerID?.rawValue)
    object.set("subscription_id", subscriptionID?.rawValue)
    object.set("external_system", externalSystem)
    object.set("external_id", externalID)
    object.set("status", status.rawValue)
    object.set("period_start", periodStart)
    object.set("period_end", periodEnd)
    return object
  }
}

extension Subscription {
  /// What a report shows of a subscription.
  fileprivate var reportFacts: JSONObject {
    var object: JSONObject = ["id": .string(id.rawValue), "product_id": .string(productID.rawValue)]
    object.set("customer_id", customerID?.rawValue)
    object.set("external_system", externalSystem)
    object.set("external_id", externalID)
    object.set("status", status.rawValue)
    object.set("current_period_start", currentPeriodStart)
    object.set("current_period_end", currentPeriodEnd)
    object["cancel_at_period_end"] = .bool(cancelAtPeriodEnd)
    object.set("canceled_at", canceledAt)
    return object
  }
}
