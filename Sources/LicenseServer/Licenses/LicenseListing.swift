import Foundation
import Identity
import LicenseKitAPI
import Postgres
import ServerKit

/// `listLicenses` as SQL. Pure: filter, cursor and time in, one query out, whose cost does not grow with the number of
/// licenses a tenant has.
///
/// Two orders:
///
/// - Without a filter on status or expiry: newest first, by the index of the narrowest filter that is given.
/// - With one: licenses that never end first, then the latest expiry first. A status is then a range of the index on (policy,
///   state, expiry), because only the expiry and the policy's grace decide between active, grace and expired. The first rows
///   of each policy's range are merged, so the cost grows with the policies and not with the licenses. In the order of ids,
///   the few that expired out of a million would have to be searched for.
///
/// One order, subscription or customer has only a few licenses, which are all read.
struct LicenseListing: Sendable {
  let tenant: TenantID
  let filter: LicenseFilter
  let cursor: LicenseCursor?
  let limit: Int
  let now: Date

  /// Whether the order is by expiry.
  static func isByExpiry(_ filter: LicenseFilter) -> Bool {
    filter.status != nil || filter.expiresBefore != nil || filter.expiresAfter != nil
  }

  /// Rows of ``LicenseRecord/selection``, in order, one more than the limit when a page follows.
  var query: PostgresQuery {
    if !Self.isByExpiry(filter) { return newestFirst }
    let isNarrow = filter.orderID != nil || filter.subscriptionID != nil || filter.customerID != nil
    return isNarrow ? narrowByExpiry : wideByExpiry
  }

  private var isWindowed: Bool { filter.expiresBefore != nil || filter.expiresAfter != nil }
  private var rows: PostgresQuery { ListCursor.limit(limit) }

  private var newestFirst: PostgresQuery {
    """
    WITH page AS MATERIALIZED (
      SELECT l.id
        FROM license_server.licenses l
       WHERE l.tenant_id = \(tenant) AND l.id < \(cursor?.id.rawValue ?? ListCursor.aboveAll)\(fragment: owners)
       ORDER BY l.id DESC
       LIMIT \(fragment: rows))
    \(fragment: LicenseRecord.selection)
      JOIN page ON page.id = l.id
     WHERE l.tenant_id = \(tenant)
     ORDER BY l.id DESC
    """
  }

  /// The licenses of one order, subscription or customer.
  private var narrowByExpiry: PostgresQuery {
    var query: PostgresQuery = """
      \(fragment: LicenseRecord.selection)
       WHERE l.tenant_id = \(tenant)\(fragment: owners)
      """
    switch filter.status {
    case nil: break
    case .suspended: query.append(" AND l.state = 'suspended'")
    case .revoked: query.append(" AND l.state = 'revoked'")
    case .active: query.append(" AND l.state = 'active' AND (l.expires_at IS NULL OR l.expires_at > \(now))")
    case .gracePeriod:
      query.append(" AND l.state = 'active' AND l.expires_at <= \(now) AND \(fragment: LicenseRecord.end) > \(now)")
    case .expired: query.append(" AND l.state = 'active' AND \(fragment: LicenseRecord.end) <= \(now)")
    }
    if let moment = filter.expiresBefore { query.append(" AND l.expires_at < \(moment)") }
    if let moment = filter.expiresAfter { query.append(" AND l.expires_at > \(moment)") }
    switch cursor?.place {
    case nil: break
    case .never: query.append(" AND (l.expires_at IS NOT NULL OR l.id < \(cursor?.id))")
    case .expiry(let moment): query.append(" AND (l.expires_at, l.id) < (\(moment), \(cursor?.id))")
    }
    query.append(" ORDER BY l.expires_at DESC, l.id DESC LIMIT \(fragment: rows)")
    return query
  }

  /// The licenses of a policy, a product or the whole tenant.
  ///
  /// The range of each policy is computed before its licenses are read: row-level security lets only plain comparisons into
  /// an index. The upper end and the cursor are one bound, since of two bounds Postgres would start at the wrong one.
  private var wideByExpiry: PostgresQuery {
    """
    WITH ranges AS MATERIALIZED (
      SELECT p.id AS policy_id, bounds.lower,
             CASE WHEN mark.moment < bounds.upper THEN mark.moment ELSE bounds.upper END AS upper,
             CASE WHEN mark.moment < bounds.upper THEN mark.id ELSE '' END AS upper_id
        FROM license_server.policies p
       CROSS JOIN LATERAL (SELECT \(fragment: lowerBound) AS lower, \(fragment: upperBound) AS upper) bounds
       CROSS JOIN (SELECT \(fragment: mark)) mark
       WHERE p.tenant_id = \(tenant)\(fragment: policies)),
    page AS MATERIALIZED (
      SELECT found.id, found.expires_at
        FROM ranges
       CROSS JOIN LATERAL (
    \(fragment: bands)) found
       ORDER BY found.expires_at DESC, found.id DESC
       LIMIT \(fragment: rows))
    \(fragment: LicenseRecord.selection)
      JOIN page ON page.id = l.id
     WHERE l.tenant_id = \(tenant)
     ORDER BY l.expires_at DESC, l.id DESC
    """
  }

  /// Every filter except the time.
  private var owners: PostgresQuery {
    var query: PostgresQuery = ""
    if let product = filter.productID { query.append(" AND l.product_id = \(product)") }
    if let policy = filter.policyID { query.append(" AND l.policy_id = \(policy)") }
    if let customer = filter.customerID { query.append(" AND l.customer_id = \(customer)") }
    if let order = filter.orderID { query.append(" AND l.order_id = \(order)") }
    if let subscription = filter.subscriptionID { query.append(" AND l.subscription_id = \(subscription)") }
    return query
  }

  /// The policies concerned: a policy belongs to one product, so its licenses do, too.
  private var policies: PostgresQuery {
    var query: PostgresQuery = ""
    if let product = filter.productID { query.append(" AND p.product_id = \(product)") }
    if let policy = filter.policyID { query.append(" AND p.id = \(policy)") }
    return query
  }

  /// Expiries are later than this.
  private var lowerBound: PostgresQuery {
    let given: PostgresQuery = "coalesce(\(filter.expiresAfter)::timestamptz, '-infinity')"
    switch filter.status {
    case .active: return "greatest(\(fragment: given), \(now)::timestamptz)"
    case .gracePeriod: return "greatest(\(fragment: given), \(fragment: graceStart))"
    case nil, .expired, .suspended, .revoked: return given
    }
  }

  /// Expiries are before this. Stored times are whole seconds, so "at the latest" is "before the next second".
  private var upperBound: PostgresQuery {
    let given: PostgresQuery = "coalesce(\(filter.expiresBefore)::timestamptz, 'infinity')"
    switch filter.status {
    case .gracePeriod: return "least(\(fragment: given), \(now + 1)::timestamptz)"
    case .expired: return "least(\(fragment: given), \(fragment: graceStart) + interval '1 second')"
    case nil, .active, .suspended, .revoked: return given
    }
  }

  /// A license that expired at this moment, or before, has no grace left now.
  private var graceStart: PostgresQuery { "\(now)::timestamptz - p.grace_period_days * interval '24 hours'" }

  /// The cursor's place among the licenses that end. It is before all of them on the first page, and while the previous page
  /// still ended among those that never end.
  private var mark: PostgresQuery {
    guard case .expiry(let moment) = cursor?.place else { return "'infinity'::timestamptz AS moment, '' AS id" }
    return "\(moment)::timestamptz AS moment, \(cursor?.id)::text AS id"
  }

  /// One range of the index a state, and one for those of it that never end.
  private var bands: PostgresQuery {
    let states: [LicenseLifecycle.State] =
      switch filter.status {
      case nil: [.active, .suspended, .revoked]
      case .suspended: [.suspended]
      case .revoked: [.revoked]
      case .active, .gracePeriod, .expired: [.active]
      }
    var query: PostgresQuery = ""
    for (index, state) in states.enumerated() {
      if index > 0 { query.append(" UNION ALL\n") }
      if let below = neverEndingBelow {
        query.append(band(state, " AND l.expires_at IS NULL AND l.id < \(below)"))
        query.append(" UNION ALL\n")
      }
      query.append(
        band(state, " AND l.expires_at > ranges.lower AND (l.expires_at, l.id) < (ranges.upper, ranges.upper_id)"))
    }
    return query
  }

  private func band(_ state: LicenseLifecycle.State, _ condition: PostgresQuery) -> PostgresQuery {
    """
      (SELECT l.id, l.expires_at
         FROM license_server.licenses l
        WHERE l.tenant_id = \(tenant) AND l.policy_id = ranges.policy_id AND l.state = '\(unescaped: state.rawValue)'
          \(fragment: condition)
        ORDER BY l.expires_at DESC, l.id DESC
        LIMIT \(fragment: rows))
    """
  }

  /// Where licenses without an end continue; nil if none can be on this page.
  private var neverEndingBelow: String? {
    guard !isWindowed, filter.status != .gracePeriod, filter.status != .expired else { return nil }
    switch cursor?.place {
    case nil: return ListCursor.aboveAll
    case .never: return cursor?.id.rawValue
    case .expiry: return nil
    }
  }
}

/// Where a page of licenses ended: the id of its last row and, in the order of expiry, that row's expiry. So a license that
/// is renewed between two pages does not shift the others.
struct LicenseCursor: Hashable, Sendable {
  var id: LicenseID
  /// Nil in the order of ids, and where a caller gave only the id.
  var place: Place?

  enum Place: Hashable, Sendable {
    case never
    case expiry(Date)

    init(_ expiresAt: Date?) { self = expiresAt.map { .expiry($0) } ?? .never }
  }

  init(id: LicenseID, place: Place? = nil) {
    self.id = id
    self.place = place
  }

  /// `lic_…`, or `lic_….1774310400` and `lic_….never`.
  init(_ text: String) throws(APIFailure) {
    let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    id = LicenseID(parts[0])
    guard parts.count == 2 else { return }
    if parts[1] == "never" {
      place = .never
    } else if let seconds = Int64(parts[1]), (0...Self.endOfTime).contains(seconds) {
      place = .expiry(Date(timeIntervalSince1970: TimeInterval(seconds)))
    } else {
      throw .invalidQuery(field: "cursor", "must be the id of the last row of the page before")
    }
  }

  /// The last second that RFC 3339 can write.
  private static let endOfTime: Int64 = 253_402_300_799

  /// What follows this license.
  init(after license: License, byExpiry: Bool) {
    self.init(id: license.id, place: byExpiry ? Place(license.expiresAt) : nil)
  }

  var text: String {
    switch place {
    case nil: id.rawValue
    case .never: "\(id).never"
    case .expiry(let moment): "\(id).\(Int64(moment.timeIntervalSince1970))"
    }
  }
}
