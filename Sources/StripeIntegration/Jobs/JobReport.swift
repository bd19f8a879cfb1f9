import Identity
import JSON
import Postgres
import StripeAPI

/// What a job found out about each object, within a transaction of its tenant.
struct JobReport {
  struct Entry: Sendable {
    /// The Stripe id of the object.
    let stripeID: String
    /// A stable word.
    let outcome: String
    let detail: JSONObject
  }

  /// An entry in the form that is shown.
  struct Shown: Encodable, Sendable {
    let stripeID: String
    let outcome: String
    let detail: JSONObject
  }

  let tenant: Tenant
  let job: JobID
  let transaction: PostgresTransaction

  /// Adds entries. An object's new entry replaces its old one.
  func add(_ entries: [Entry]) async throws {
    // A statement may change a row only once.
    let entries = Dictionary(entries.map { ($0.stripeID, $0) }, uniquingKeysWith: { $1 }).values.sorted {
      $0.stripeID < $1.stripeID
    }
    guard !entries.isEmpty else { return }
    try await transaction.query(
      """
      INSERT INTO stripe_integration.job_reports (account_id, livemode, job_id, stripe_id, outcome, detail)
      SELECT \(tenant.account)::text, \(tenant.livemode)::boolean, \(job)::text, stripe_id, outcome, detail::json
        FROM unnest(\(entries.map(\.stripeID))::text[], \(entries.map(\.outcome))::text[],
                    \(entries.map { JobStore.text($0.detail) })::text[]) AS e (stripe_id, outcome, detail)
          ON CONFLICT (account_id, livemode, job_id, stripe_id) DO UPDATE
         SET outcome = excluded.outcome,
             detail  = excluded.detail
      """)
  }

  /// Entries in the order in which they were found, after a given entry.
  /// - Returns: entries with their numbers.
  func page(outcome: String?, after number: Int64?, limit: Int) async throws -> [(number: Int64, entry: Shown)] {
    var condition: PostgresQuery = ""
    if let outcome { condition.append("AND outcome = \(outcome) ") }
    return try await transaction.query(
      """
      SELECT entry_id, stripe_id, outcome, detail::text AS detail
        FROM stripe_integration.job_reports
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
         AND job_id     = \(job)
         AND entry_id   > \(number ?? 0)
             \(fragment: condition)
       ORDER BY entry_id
       LIMIT \(limit)
      """
    ).map { row in
      (
        try row.get("entry_id"),
        Shown(
          stripeID: try row.get("stripe_id"), outcome: try row.get("outcome"),
          detail: try JSONValue(parsing: row.get("detail", as: String.self)).object ?? JSONObject())
      )
    }
  }
}

extension JobReport {
  /// The existing entries of these objects.
  func entries(_ ids: [String]) async throws -> [String: Shown] {
    guard !ids.isEmpty else { return [:] }
    let rows = try await transaction.query(
      """
      SELECT stripe_id, outcome, detail::text AS detail
        FROM stripe_integration.job_reports
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
         AND job_id     = \(job)
         AND stripe_id  = ANY(\(ids))
      """)
    var entries: [String: Shown] = [:]
    for row in rows {
      let id: String = try row.get("stripe_id")
      entries[id] = Shown(
        stripeID: id, outcome: try row.get("outcome"),
        detail: try JSONValue(parsing: row.get("detail", as: String.self)).object ?? JSONObject())
    }
    return entries
  }
}
