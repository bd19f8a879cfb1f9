import Cryptography
import Foundation
import Identity
import JSON
import LicenseKitAPI
import Postgres
import ServerKit
import TestSupport
import Testing

@testable import LicenseServer

/// What reports read, measured by the database's own counters on tables of many rows.
@Suite("The cost of reports")
struct ReportPlanTests {
  /// Rows of each table. One license in a hundred is a customer's; one entry in a hundred is a license's.
  private static let rows = 40_000

  private static let tables = [
    "licenses", "devices", "events", "activities", "usage_ledger", "runtime_counts", "usage_events",
  ]

  /// Rows read from all tables, and tables read from beginning to end.
  private struct Cost: Sendable {
    var rows: Int64
    var scans: [String]
  }

  private func cost(of body: () async throws -> Void, on client: PostgresClient) async throws -> Cost {
    // The counters are those of the one connection that the pool has; it publishes them when it is told to.
    try await client.query("SELECT pg_stat_force_next_flush()")
    try await client.query("SELECT pg_stat_reset()")
    try await body()
    try await client.query("SELECT pg_stat_force_next_flush()")
    let found = try await client.query(
      """
      SELECT relname, seq_scan, coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) AS read
        FROM pg_stat_user_tables
       WHERE schemaname = 'license_server' AND relname = ANY (\(Self.tables))
      """)
    return Cost(
      rows: try found.all { try $0.get("read", as: Int64.self) }.reduce(0, +),
      scans: try found.all { (try $0.get("relname", as: String.self), try $0.get("seq_scan", as: Int64.self)) }
        .filter { $0.1 > 0 }.map(\.0))
  }

  @Test("no report reads a table from beginning to end, and none reads much more than what it tells of")
  func plans() async throws {
    try await withDatabase(migrations: ["migrations/server"], configure: { $0.maximumConnections = 1 }) { database in
      let now = Date(timeIntervalSince1970: 1_774_310_400)
      let server = LicenseServer(
        client: database.client, keyRing: try KeyRing(parsing: KeyRing.newEntry(id: "test")), clock: { now },
        logger: Fixture.logger)
      try await server.bootstrap(adminToken: Fixture.adminToken)
      try await Self.fill(database.client)
      let services = server.services
      let caller = Caller(
        tenant: .defaultTenant, actor: .system("test"), scopes: [.admin], address: nil, requestID: nil)

      func check(_ name: String, atMost limit: Int64, _ body: () async throws -> Void) async throws {
        let cost = try await cost(of: body, on: database.client)
        #expect(cost.scans.isEmpty, "\(name) reads all of \(cost.scans)")
        #expect(cost.rows <= limit, "\(name) reads \(cost.rows) rows")
      }
      func query(_ text: String) -> QueryReader { QueryReader(query: text) }

      for filter in [
        "", "license_id=lic_00077", "customer_id=cust_5", "order_id=ord_5", "subscription_id=sub_5",
        "product_id=prod_1",
        "feature_code=api_calls", "action=usage.consumed", "source=runtime", "request_id=req_777",
        "result_class=denied",
        "status_code=403", "result_class=conflict", "action=none", "to=2026-03-01T00:00:00Z",
        "license_id=lic_00077&from=2026-03-01T00:00:00Z&to=2026-03-02T00:00:00Z",
      ] {
        try await check("activities \(filter)", atMost: 100) {
          _ = try await services.activities.list(ActivityFilter(query: query(filter)), for: caller)
        }
      }
      for filter in [
        "", "license_id=lic_00077", "customer_id=cust_5", "order_id=ord_5", "subscription_id=sub_5",
        "product_id=prod_1",
        "feature_code=api_calls", "action=consume", "action=reset", "to=2026-03-01T00:00:00Z",
        "customer_id=cust_5&from=2026-03-01T00:00:00Z&to=2026-03-02T00:00:00Z",
      ] {
        try await check("ledger \(filter)", atMost: 100) {
          _ = try await services.usageReports.ledger(
            UsageLedgerRequest(query: query(filter), size: .answer), for: caller)
        }
      }
      // Forty days of entries: one in 40 000 / 40 a day, one in 100 of a customer.
      for (filter, limit) in [
        ("from=2026-03-23T00:00:00Z", 1_100), ("customer_id=cust_5", 400), ("license_id=lic_00077", 10),
        ("order_id=ord_5&bucket=1d", 400), ("subscription_id=sub_5&group_by=license_id", 400),
      ] as [(String, Int64)] {
        try await check("summary \(filter)", atMost: limit) {
          _ = try await services.usageReports.summary(
            UsageSummaryRequest(query: query(filter), size: .answer, now: now), for: caller)
        }
      }
      try await check("audit", atMost: 200) {
        _ = try await services.subjectReports.audit(
          LicenseAuditRequest(query: query("license_id=lic_00077"), size: .answer, now: now), for: caller)
      }
      try await check("customer", atMost: 2_500) {
        _ = try await services.subjectReports.customer(
          CustomerSummaryRequest(query: query("customer_id=cust_5"), size: .answer, now: now), for: caller)
      }
      try await check("settlement", atMost: 2_000) {
        _ = try await services.subjectReports.settlement(
          SettlementRequest(query: query("subscription_id=sub_5"), size: .answer, now: now), for: caller)
      }
      for filter in ["", "customer_id=cust_5", "license_id=lic_00077"] {
        try await check("ops \(filter)", atMost: filter.isEmpty ? 12_000 : 2_000) {
          _ = try await services.operationsReports.summary(
            OpsSummaryRequest(query: query(filter), now: now), for: caller)
        }
        try await check("errors \(filter)", atMost: 1_300) {
          _ = try await services.operationsReports.errors(
            RuntimeErrorsRequest(query: query("\(filter)&group_by=time,endpoint"), now: now), for: caller)
        }
      }
      try await check("backfill with nothing to do", atMost: 0) {
        _ = try await LedgerBackfill(client: database.client, logger: Fixture.logger).step()
      }
      try await check("retention with nothing to do", atMost: 0) {
        _ = try await ReportRetention(client: database.client, clock: services.clock, logger: Fixture.logger).prune()
      }
    }
  }

  /// A tenant with many licenses, 100 customers, and forty days of what happened to them.
  private static func fill(_ client: PostgresClient) async throws {
    let start = "'2026-02-12T00:00:00Z'::timestamptz"
    let time = "\(start) + n * interval '\(40 * 86_400 / rows) seconds'"
    let sequence = "extract(epoch FROM date_trunc('second', \(time)))::bigint * 1048576 + n"
    let ids = "'cust_' || n % 100, 'ord_' || n % 100, 'sub_' || n % 100"
    let license = "'lic_' || lpad((n % \(rows))::text, 5, '0')"
    for statement in [
      "INSERT INTO license_server.products SELECT 'default', 'prod_1', 'P', 'p', '{}', \(start), \(start)",
      """
      INSERT INTO license_server.policies (tenant_id, id, product_id, name, code, license_type, created_at, updated_at)
      SELECT 'default', 'pol_1', 'prod_1', 'P', 'p', 'subscription', \(start), \(start)
      """,
      "INSERT INTO license_server.features SELECT 'default', 'feat_1', 'prod_1', 'api_calls', 'A', '{}', \(start)",
      """
      INSERT INTO license_server.customers
      SELECT 'default', 'cust_' || n, 'C', 'c' || n, NULL, '{}', \(start), \(start) FROM generate_series(0, 99) n
      """,
      """
      INSERT INTO license_server.subscriptions
      SELECT 'default', 'sub_' || n, 'prod_1', 'cust_' || n, 's', n::text, 'active', \(start), \(start) + interval '90 days',
             false, NULL, '{}', \(start), \(start)
        FROM generate_series(0, 99) n
      """,
      """
      INSERT INTO license_server.orders
      SELECT 'default', 'ord_' || n, 'prod_1', 'cust_' || n, 'sub_' || n, 's', n::text, 'paid', \(start),
             \(start) + interval '30 days', '{}', \(start), \(start)
        FROM generate_series(0, 99) n
      """,
      """
      INSERT INTO license_server.licenses (tenant_id, id, product_id, policy_id, customer_id, order_id, subscription_id, state,
             key_hash, key_prefix, key_last4, created_at, updated_at)
      SELECT 'default', \(license), 'prod_1', 'pol_1', \(ids), 'active', sha256(n::text::bytea), 'lsk', '0000', \(start), \(start)
        FROM generate_series(0, \(rows - 1)) n
      """,
      """
      INSERT INTO license_server.devices (tenant_id, license_id, id, binding_kind, binding_key, is_vm, is_container, status,
             first_seen_at, last_seen_at, created_at, updated_at)
      SELECT 'default', \(license), 'dev_' || n, 'hardware', n::text, false, false, 'active', \(start), \(start), \(start), \(start)
        FROM generate_series(0, \(rows - 1)) n
      """,
      """
      INSERT INTO license_server.events (tenant_id, event_type, actor_type, actor_id, resource_type, resource_id, created_at)
      SELECT 'default', 'usage.consumed', 'license', \(license), 'license', \(license), \(time)
        FROM generate_series(0, \(rows - 1)) n
      """,
      """
      INSERT INTO license_server.activities (tenant_id, sequence, created_at, source, action, result_class, status_code,
             reason_code, request_id, actor_type, actor_id, endpoint, resource_type, resource_id, product_id, policy_id,
             license_id, customer_id, order_id, subscription_id, feature_code)
      SELECT 'default', \(sequence), \(time), CASE n % 5 WHEN 0 THEN 'management' ELSE 'runtime' END,
             CASE n % 5 WHEN 0 THEN 'license.renewed' ELSE 'usage.consumed' END,
             CASE n % 50 WHEN 1 THEN 'denied' ELSE 'success' END, CASE n % 50 WHEN 1 THEN 403 ELSE 200 END,
             CASE n % 50 WHEN 1 THEN 'LICENSE_EXPIRED' END, 'req_' || n, 'license', 'l', 'consume', 'license', \(license),
             'prod_1', 'pol_1', \(license), \(ids), 'api_calls'
        FROM generate_series(0, \(rows - 1)) n
      """,
      """
      INSERT INTO license_server.usage_ledger (tenant_id, sequence, created_at, action, license_id, product_id, policy_id,
             customer_id, order_id, subscription_id, feature_id, feature_code, amount, consumed_change, actor_type, actor_id)
      SELECT 'default', \(sequence), \(time), CASE n % 1000 WHEN 3 THEN 'reset' ELSE 'consume' END, \(license), 'prod_1',
             'pol_1', \(ids), 'feat_1', 'api_calls', 1, 1, 'license', 'l'
        FROM generate_series(0, \(rows - 1)) n
      """,
      """
      INSERT INTO license_server.usage_events (tenant_id, license_id, event_id, feature_id, amount, created_at, ledger_sequence)
      SELECT 'default', \(license), n::text, 'feat_1', 1, \(time), n FROM generate_series(0, \(rows - 1)) n
      """,
      """
      INSERT INTO license_server.runtime_counts
      SELECT 'default', b, e, r, CASE r WHEN 'denied' THEN 'LICENSE_EXPIRED' ELSE '' END, 5
        FROM generate_series(\(start), \(start) + interval '40 days', interval '5 minutes') b,
             unnest(ARRAY['validate', 'consume']) e, unnest(ARRAY['success', 'denied']) r
      """,
      "ANALYZE",
    ] { try await client.query(PostgresQuery(unescaped: statement)) }
  }
}
