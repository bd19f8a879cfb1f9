import Foundation
import Identity
import JSON
import LicenseKitAPI
import Postgres
import ServerKit

/// One page of rows whose number is the cursor.
struct ReportPage: Sendable {
  var rows: [JSONValue]
  var nextCursor: Int64?

  /// - Parameter found: the rows wanted and one more, if there is one.
  init(_ found: [(sequence: Int64, row: JSONValue)], limit: Int) {
    rows = found.prefix(limit).map(\.row)
    nextCursor = found.count > limit ? found[limit - 1].sequence : nil
  }
}

/// The filters of `listActivities`. All that are given must match.
struct ActivityFilter: Sendable {
  var cursor: Int64?
  var limit: Int
  var from: Date?
  var to: Date?
  var action: String?
  var source: ActivitySource?
  var productID: ProductID?
  var customerID: CustomerID?
  var licenseID: LicenseID?
  var orderID: OrderID?
  var subscriptionID: SubscriptionID?
  var featureCode: String?
  var requestID: String?
  var resultClass: ResultClass?
  var statusCode: Int?

  init(query: QueryReader) throws(APIFailure) {
    cursor = try query.int("cursor", in: 1...Int.max).map { Int64($0) }
    limit = try ReportSize.answer.limit(query)
    (from, to) = (try query.date("from"), try query.date("to"))
    if let from, let to, from >= to { throw .invalidQuery(field: "from", "must be earlier than to") }
    (action, source) = (try query.text("action"), try query.value("source"))
    (productID, customerID, licenseID) = (
      try query.id("product_id"), try query.id("customer_id"), try query.id("license_id")
    )
    (orderID, subscriptionID) = (try query.id("order_id"), try query.id("subscription_id"))
    (featureCode, requestID) = (try query.text("feature_code"), try query.text("request_id"))
    (resultClass, statusCode) = (try query.value("result_class"), try query.int("status_code", in: 100...599))
  }
}

/// Reads which requests were made, and how they ended.
struct Activities: Sendable {
  let store: TenantStore

  /// One page, newest first.
  func list(_ filter: ActivityFilter, for caller: Caller) async throws -> ReportPage {
    var query: PostgresQuery = """
      SELECT sequence, created_at, source, action, result_class, status_code, reason_code, request_id,
             actor_type, actor_id, endpoint, resource_type, resource_id, product_id, policy_id, customer_id, license_id,
             order_id, subscription_id, feature_code, app_version, amount
        FROM license_server.activities
       WHERE tenant_id = \(caller.tenant)
      """
    if let cursor = filter.cursor { query.append(" AND sequence < \(cursor)") }
    if let from = filter.from { query.append(" AND sequence >= \(TimeSequence.first(at: from))") }
    if let to = filter.to { query.append(" AND sequence < \(TimeSequence.first(at: to))") }
    if let action = filter.action { query.append(" AND action = \(action)") }
    if let source = filter.source { query.append(" AND source = \(source.rawValue)") }
    if let id = filter.productID { query.append(" AND product_id = \(id)") }
    if let id = filter.customerID { query.append(" AND customer_id = \(id)") }
    if let id = filter.licenseID { query.append(" AND license_id = \(id)") }
    if let id = filter.orderID { query.append(" AND order_id = \(id)") }
    if let id = filter.subscriptionID { query.append(" AND subscription_id = \(id)") }
    if let code = filter.featureCode { query.append(" AND feature_code = \(code)") }
    if let id = filter.requestID { query.append(" AND request_id = \(id)") }
    if let result = filter.resultClass { query.append(" AND result_class = \(result.rawValue)") }
    if let status = filter.statusCode { query.append(" AND status_code = \(status)") }
    query.append(" ORDER BY sequence DESC LIMIT \(filter.limit + 1)")
    let complete = query
    let found = try await store.transaction(caller.tenant, readOnly: true) { transaction in
      try await transaction.query(complete).all { (try $0.get("sequence", as: Int64.self), try Self.json($0)) }
    }
    return ReportPage(found, limit: filter.limit)
  }

  private static func json(_ row: PostgresRow) throws -> JSONValue {
    var object = JSONObject()
    object.set("sequence", try row.get("sequence", as: Int64.self))
    object.set("created_at", try row.get("created_at", as: Date.self))
    try object.take("source", "action", "result_class", from: row)
    object.set("status_code", try row.get("status_code", as: Int64.self))
    try object.take(
      "reason_code", "request_id", "actor_type", "actor_id", "endpoint", "resource_type", "resource_id", "product_id",
      "policy_id", "customer_id", "license_id", "order_id", "subscription_id", "feature_code", "app_version", from: row)
    object.set("amount", try row.get("amount", as: Int64?.self))
    return .object(object)
  }
}
