import Foundation
import Identity
import JSON
import LicenseKitAPI
import Postgres
import ServerKit

/// Reports about one license, one customer, one subscription or order. They carry ids and facts of licensing and no
/// buyer's name, address or machine: reading those needs a scope of its own.
struct SubjectReports: Sendable {
  static let defaultDays = 30
  static let maximumDays = 366
  /// Records of one subject that are counted; beyond, the count says so.
  static let maximumCounted = 10_000

  let store: TenantStore
  let clock: ServerClock
}

/// What a report about one record is asked.
struct SubjectRequest<Subject>: Sendable {
  var id: ID<Subject>
  var window: ReportWindow
  /// Rows wanted of each list in it.
  var limit: Int

  /// - Parameters:
  ///   - name: the parameter with the record's id.
  ///   - days: how long the window is without `from`.
  init(_ name: String, query: QueryReader, days: Int, size: ReportSize, now: Date) throws(APIFailure) {
    id = try query.requiredID(name)
    window = try ReportWindow(query, days: days, maximumDays: SubjectReports.maximumDays, now: now)
    limit = try size.limit(query)
  }
}

/// What `getLicenseAuditReport` is asked.
typealias LicenseAuditRequest = SubjectRequest<LicenseTag>

extension LicenseAuditRequest {
  static var parameters: [String] { ["limit", "license_id", "from", "to"] }

  /// Without `from` the window is the longest that is allowed, because an audit is rarely only about the last days.
  init(query: QueryReader, size: ReportSize, now: Date) throws(APIFailure) {
    try self.init("license_id", query: query, days: SubjectReports.maximumDays, size: size, now: now)
  }
}

/// What `getCustomerSummary` is asked.
typealias CustomerSummaryRequest = SubjectRequest<CustomerTag>

extension CustomerSummaryRequest {
  static var parameters: [String] { ["limit", "customer_id", "from", "to"] }

  init(query: QueryReader, size: ReportSize, now: Date) throws(APIFailure) {
    try self.init("customer_id", query: query, days: SubjectReports.defaultDays, size: size, now: now)
  }
}

extension License {
  /// What a report shows of a license.
  var reportFacts: JSONObject {
    var object: JSONObject = ["id": .string(id.rawValue)]
    object.set("status", status.rawValue)
    object.set("product_id", productID.rawValue)
    object.set("policy_id", policyID.rawValue)
    object.set("customer_id", customerID?.rawValue)
    object.set("order_id", orderID?.rawValue)
    object.set("subscription_id", subscriptionID?.rawValue)
    object.set("license_key_last4", licenseKeyLast4)
    object.set("active_device_count", Int64(activeDeviceCount))
    object.set("times_activated", Int64(timesActivated))
    object.set("times_transferred", Int64(timesTransferred))
    object.set("total_consumptions", totalConsumptions)
    object.set("starts_at", startsAt)
    object.set("expires_at", expiresAt)
    object.set("maintenance_expires_at", maintenanceExpiresAt)
    object.set("created_at", createdAt)
    return object
  }
}

extension LicenseLifecycle {
  /// ``status(at:)`` in SQL, over a license `l` and its policy `p`.
  static func statusColumn(at now: Date) -> PostgresQuery {
    """
    CASE WHEN l.state <> 'active'                              THEN l.state
         WHEN l.expires_at IS NULL OR l.expires_at > \(now)    THEN 'active'
         WHEN \(fragment: LicenseRecord.end) > \(now)          THEN 'grace_period'
         ELSE 'expired'
    END
    """
  }
}

/// Counts by a text, in SQL and as a report shows them.
struct CountsByText: Sendable {
  var counts: [(text: String, count: Int64)]

  var total: Int64 { counts.reduce(0) { $0.addingSaturated($1.count) } }

  /// - Parameter query: has the columns `text` and `count`.
  static func load(_ query: PostgresQuery, in transaction: PostgresTransaction) async throws -> CountsByText {
    CountsByText(
      counts: try await transaction.query(query).all { (try $0.get("text"), try $0.get("count", as: Int64.self)) })
  }

  /// `{"total": …, "by_<name>": {…}}`, with `"capped": true` when there may be more than were counted.
  func json(by name: String) -> JSONValue {
    var object: JSONObject = [
      "total": .integer(total),
      "by_\(name)": .object(JSONObject(counts.map { ($0.text, .integer($0.count)) })),
    ]
    if total >= Int64(SubjectReports.maximumCounted) { object["capped"] = true }
    return .object(object)
  }
}
