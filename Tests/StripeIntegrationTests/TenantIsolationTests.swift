import Foundation
import Identity
import JSON
import Postgres
import StripeAPI
import Tenancy
import Testing

@testable import Purchases
@testable import StripeIntegration

/// Every table of the schema is asked from the catalog, so that a new one is tested from the day it is made.
@Suite("One tenant's rows are out of reach of every other")
struct TenantIsolationTests {
  private struct Table: Sendable {
    let name: String
    let key: [String]
    let isEnabled: Bool
    let isForced: Bool
    /// The columns that can be written.
    let columns: [String]
  }

  /// Tables about the app itself, in which nothing of a tenant stands.
  private static let ofNoTenant: Set = ["install_lists"]

  private func tables(_ client: PostgresClient) async throws -> [Table] {
    try await client.query(
      """
      SELECT c.relname::text AS name, c.relrowsecurity,
             c.relforcerowsecurity AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'taken_on'
                                                                         AND NOT p.polpermissive) AS is_forced,
             ARRAY(SELECT a.attname::text
                     FROM pg_index i
                    CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k (number, place)
                     JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number
                    WHERE i.indrelid = c.oid AND i.indisprimary
                    ORDER BY k.place) AS key,
             ARRAY(SELECT a.attname::text
                     FROM pg_attribute a
                    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                      AND a.attidentity = '' AND a.attgenerated = ''
                    ORDER BY a.attnum) AS columns
        FROM pg_class c
       WHERE c.relnamespace = 'stripe_integration'::regnamespace
         AND c.relkind IN ('r', 'p')
       ORDER BY c.relname
      """
    ).map { row in
      Table(
        name: try row.get("name"), key: try row.get("key"), isEnabled: try row.get("relrowsecurity"),
        isForced: try row.get("is_forced"), columns: try row.get("columns"))
    }
  }

  /// A shop with at least one row in every table, made by the code that makes them in earnest.
  private func withFilledTables(_ body: @Sendable (Shop, [Table]) async throws -> Void) async throws {
    try await Backend.open { backend in
      let shop = backend.shop
      try await DeliveryRows.prepare(shop)
      try await backend.sell()
      try await DeliveryRows.attempt(shop)
      _ = try await backend.token(of: shop.tenant)
      try await shop.database.transaction(for: shop.tenant) { transaction in
        let purchase = try #require(
          try await FulfillmentReader(tenant: shop.tenant, transaction: transaction).purchase(of: "cs_test_1"))
        try await RecordStore(tenant: shop.tenant, purchase: purchase, transaction: transaction)
          .setUnmapped(["prod_else"])
        try await SettingsStore(tenant: shop.tenant, transaction: transaction).store(TenantSettings())
        try await InstallStore(tenant: shop.tenant, transaction: transaction).note(
          try AppInstall(["id": "appin_1", "app": "dev.licensekit.stripe", "livemode": false, "status": "installed"]),
          asOf: Shop.now)
        _ = try await AppRequestLog(tenant: shop.tenant, transaction: transaction).use("nonce-nonce-nonce")
        let job = try await JobStore(tenant: shop.tenant, transaction: transaction)
          .create(.backfill, parameters: JSONObject(), by: "test")
        try await JobReport(tenant: shop.tenant, job: job.id, transaction: transaction)
          .add([.init(stripeID: "cs_test_1", outcome: "known", detail: JSONObject())])
      }
      try await body(shop, try await tables(shop.database.client).filter { !Self.ofNoTenant.contains($0.name) })
    }
  }

  @Test("every table begins its key with the tenant and has row-level security, for its owner too")
  func schema() async throws {
    try await Backend.open { backend in
      let tables = try await tables(backend.shop.database.client)
      #expect(tables.count >= 16)
      for table in tables {
        #expect(
          Array(table.key.prefix(2)) == ["account_id", "livemode"] || Self.ofNoTenant.contains(table.name),
          "\(table.name)")
        #expect(table.isEnabled && table.isForced, "\(table.name)")
      }
    }
  }

  @Test("another tenant's rows cannot be seen, changed, removed or made, nor can own rows be given away")
  func rows() async throws {
    try await withFilledTables { shop, tables in
      for stranger in [
        Tenant(account: "acct_b", livemode: false), Tenant(account: shop.tenant.account, livemode: true),
      ] {
        for table in tables { try await check(table, shop, stranger) }
      }
    }
  }

  private func check(_ table: Table, _ shop: Shop, _ stranger: Tenant) async throws {
    let name = PostgresQuery(unescaped: "stripe_integration." + PostgresQuery.quotedIdentifier(table.name))
    let row: String = try await shop.database.transaction(for: shop.tenant) { transaction in
      let row = try await transaction.query("SELECT to_jsonb(t)::text AS row FROM \(fragment: name) t LIMIT 1").first
      return try #require(row, "\(table.name) has no row: the fixture must make one").get("row")
    }
    let copy = Self.copy(of: row, into: table, name, for: stranger)
    let theirs: PostgresQuery = "account_id = \(stranger.account) AND livemode = \(stranger.livemode)"

    // What the stranger can make for itself, nobody else can make for it.
    try await refused(shop, "INSERT into \(table.name)") { try await $0.query(copy) }
    let before = try await count(name, as: stranger, shop)
    try await shop.database.transaction(for: stranger) { transaction in _ = try await transaction.query(copy) }
    #expect(try await count(name, as: stranger, shop) == before + 1)

    let seen = try await shop.database.transaction(for: shop.tenant) { transaction in
      try await transaction.query(
        """
        SELECT count(*) AS n
          FROM \(fragment: name)
         WHERE account_id <> \(shop.tenant.account) OR livemode <> \(shop.tenant.livemode)
        """
      ).first?.get("n", as: Int64.self)
    }
    #expect(seen == 0, "SELECT from \(table.name)")
    try await untouched(shop, "UPDATE of \(table.name)") {
      try await $0.query("UPDATE \(fragment: name) SET account_id = account_id WHERE \(fragment: theirs)")
    }
    try await untouched(shop, "DELETE from \(table.name)") {
      try await $0.query("DELETE FROM \(fragment: name) WHERE \(fragment: theirs)")
    }
    try await refused(shop, "own rows of \(table.name) given away") {
      try await $0.query(
        "UPDATE \(fragment: name) SET account_id = \(stranger.account), livemode = \(stranger.livemode)")
    }
    #expect(try await count(name, as: stranger, shop) == before + 1, "\(table.name)")
  }

  /// Inserts the same row with another tenant in it.
  private static func copy(
    of row: String, into table: Table, _ name: PostgresQuery, for tenant: Tenant
  ) -> PostgresQuery {
    let columns = PostgresQuery(
      unescaped: table.columns.map { PostgresQuery.quotedIdentifier($0) }.joined(separator: ", "))
    return """
      INSERT INTO \(fragment: name) (\(fragment: columns))
      SELECT \(fragment: columns)
        FROM jsonb_populate_record(
               NULL::\(fragment: name),
               \(row)::text::jsonb
               || jsonb_build_object('account_id', \(tenant.account)::text, 'livemode', \(tenant.livemode)::boolean,
                                     'environment', NULL::text))
      """
  }

  private func count(_ name: PostgresQuery, as tenant: Tenant, _ shop: Shop) async throws -> Int64 {
    try await shop.database.transaction(for: tenant) { transaction in
      let row = try await transaction.query("SELECT count(*) AS n FROM \(fragment: name)").first
      return try #require(row).get("n")
    }
  }

  /// The database itself says no.
  private func refused(
    _ shop: Shop, _ what: String, _ body: @Sendable (PostgresTransaction) async throws -> PostgresRows
  ) async throws {
    do {
      try await shop.database.transaction(for: shop.tenant) { transaction in _ = try await body(transaction) }
      Issue.record("\(what) was allowed")
    } catch let error as PostgresError {
      // 42501: insufficient privilege, which a violated row policy is as well.
      #expect(error.sqlState == "42501", "\(what): \(error)")
    }
  }

  /// No row is found to act on, or the right to act is missing altogether.
  private func untouched(
    _ shop: Shop, _ what: String, _ body: @Sendable (PostgresTransaction) async throws -> PostgresRows
  ) async throws {
    do {
      let rows = try await shop.database.transaction(for: shop.tenant) { transaction in try await body(transaction) }
      #expect(rows.affectedRows == 0, "\(what)")
    } catch let error as PostgresError {
      #expect(error.sqlState == "42501", "\(what): \(error)")
    }
  }
}
