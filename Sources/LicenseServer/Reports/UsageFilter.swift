import Foundation
import Identity
import JSON
import LicenseKitAPI
import Postgres
import ServerKit

/// What usage can be grouped by.
enum UsageDimension: String, CaseIterable, Hashable, Sendable {
  case featureCode = "feature_code"
  case customerID = "customer_id"
  case licenseID = "license_id"
  case productID = "product_id"
  case orderID = "order_id"
  case subscriptionID = "subscription_id"

  /// The columns of dimensions, with an empty text for what has none: ids are never empty.
  static func columns(_ dimensions: [UsageDimension]) -> PostgresQuery {
    PostgresQuery(
      unescaped: dimensions.map { "coalesce(\($0.rawValue), '') AS \($0.rawValue)" }.joined(separator: ", "))
  }

  static func names(_ dimensions: [UsageDimension]) -> PostgresQuery {
    PostgresQuery(unescaped: dimensions.map(\.rawValue).joined(separator: ", "))
  }

  /// The values of dimensions in a row; what is empty is left out.
  static func values(_ dimensions: [UsageDimension], of row: PostgresRow) throws -> JSONObject {
    var object = JSONObject()
    for dimension in dimensions {
      object.set(dimension.rawValue, try row.get(dimension.rawValue, as: String.self).nonEmpty)
    }
    return object
  }
}

/// Whose usage, and of what. All filters that are given must match.
struct UsageFilter: Hashable, Sendable {
  var productID: ProductID?
  var customerID: CustomerID?
  var licenseID: LicenseID?
  var orderID: OrderID?
  var subscriptionID: SubscriptionID?
  var featureCode: String?

  init() {}

  init(query: QueryReader) throws(APIFailure) {
    (productID, customerID, licenseID) = (
      try query.id("product_id"), try query.id("customer_id"), try query.id("license_id")
    )
    (orderID, subscriptionID) = (try query.id("order_id"), try query.id("subscription_id"))
    featureCode = try query.text("feature_code")
  }

  /// ` AND …` for each.
  var conditions: PostgresQuery {
    var query: PostgresQuery = ""
    if let id = productID { query.append(" AND product_id = \(id)") }
    if let id = customerID { query.append(" AND customer_id = \(id)") }
    if let id = licenseID { query.append(" AND license_id = \(id)") }
    if let id = orderID { query.append(" AND order_id = \(id)") }
    if let id = subscriptionID { query.append(" AND subscription_id = \(id)") }
    if let code = featureCode { query.append(" AND feature_code = \(code)") }
    return query
  }

  var json: JSONObject {
    var object = JSONObject()
    object.set("product_id", productID?.rawValue)
    object.set("customer_id", customerID?.rawValue)
    object.set("license_id", licenseID?.rawValue)
    object.set("order_id", orderID?.rawValue)
    object.set("subscription_id", subscriptionID?.rawValue)
    object.set("feature_code", featureCode)
    return object
  }
}

/// An amount of use as every report shows it: beyond ±9223372036854775807, as that limit.
struct UsageTotals: Hashable, Sendable {
  /// Units consumed.
  var consumed: Int64 = 0
  /// Uses counted.
  var uses: Int64 = 0
  /// How the licenses' totals changed: what was consumed, less what was reset or taken away.
  var netChange: Int64 = 0

  /// The same in SQL, over rows of the ledger, as wide as the sums are, because they are summed further before
  /// ``shown(_:as:)``.
  static let columns: PostgresQuery = """
    coalesce(sum(amount) FILTER (WHERE action = 'consume'), 0) AS consumed,
    count(*) FILTER (WHERE action = 'consume')                 AS uses,
    coalesce(sum(consumed_change), 0)                          AS net_change
    """

  /// Columns of a row of totals, from such sums.
  /// - Parameters:
  ///   - source: what their names in the query begin with.
  ///   - prefix: what their names in the row begin with.
  static func shown(_ source: String = "", as prefix: String = "") -> PostgresQuery {
    var columns: PostgresQuery = ""
    for (index, name) in ["consumed", "uses", "net_change"].enumerated() {
      if index > 0 { columns.append(", ") }
      columns.append(
        "\(fragment: SaturatingSum.shown(source + name)) AS \(unescaped: prefix + name)")
    }
    return columns
  }

  init() {}

  init(row: PostgresRow, prefix: String = "") throws {
    consumed = try row.get(prefix + "consumed")
    uses = try row.get(prefix + "uses")
    netChange = try row.get(prefix + "net_change")
  }

  var json: JSONObject {
    ["consumed": .integer(consumed), "uses": .integer(uses), "net_change": .integer(netChange)]
  }
}
