import Foundation
import Identity
import JSON
import LicenseKitAPI
import LicenseKitHTTP
import Postgres
import StripeAPI
import Tenancy
import Testing

@testable import StripeIntegration

@Suite("A buyer asks what is kept, or to be forgotten")
struct BuyersTests {
  /// Every text of the integration's tables that has the buyer's name or address in it, the events left out.
  private func leftovers(_ backend: Backend, events: Bool = false) async throws -> [String] {
    try await backend.shop.database.transaction(for: backend.shop.tenant) { transaction in
      try await transaction.query(
        """
        SELECT t.text
          FROM (SELECT 'facts ' || snapshot::text                AS text FROM stripe_integration.facts
                 UNION ALL
                SELECT 'records ' || applied::text                       FROM stripe_integration.licensekit_records
                 UNION ALL
                SELECT 'timeline ' || title || coalesce(detail, '')      FROM stripe_integration.timeline
                 UNION ALL
                SELECT 'audit ' || target || coalesce(detail, '')        FROM stripe_integration.audit
                 UNION ALL
                SELECT 'events ' || body FROM stripe_integration.inbox WHERE \(events)) t
         WHERE t.text LIKE '%buyer@example.com%' OR t.text LIKE '%"Buyer"%'
        """
      ).map { row in try row.get("text") }
    }
  }

  private func audit(_ backend: Backend) async throws -> [String] {
    try await backend.admin("GET", "audit?\(backend.named)").items.compactMap { entry in
      entry["action"]?.string.map { "\($0) \(entry["target"]?.string ?? "")" }
    }
  }

  @Test("an export has what Stripe said, the customer, the licenses and their devices; the audit log says who asked")
  func export() async throws {
    try await Backend.open { backend in
      try await backend.sell(quantity: 2)
      for id in ["cus_1", "pi_1"] {
        let reply = try await backend.admin("GET", "buyers/\(id)?\(backend.named)")
        #expect(reply.status == 200, "\(reply.text)")
        let data = try #require(reply.data)
        #expect(data["stripe_customer"] == "cus_1")
        #expect(data["fulfillments"]?.array?.count == 1)
        #expect(data["customers"]?[0]?["email"] == "buyer@example.com")
        #expect(data["licenses"]?.array?.count == 2)
        #expect(data["stripe"]?.array?.contains { $0["about"] == "cs_test_1" } == true)
      }
      #expect(try await audit(backend).filter { $0 == "buyer.export cus_1" }.count == 2)
      #expect(try await backend.admin("GET", "buyers/cus_none?\(backend.named)").status == 404)
      #expect(try await backend.admin("GET", "buyers/cus_1?account_id=acct_2&livemode=false").status == 404)
    }
  }

  @Test("an erased buyer's name and address are in no table any more, and everything else is as it was")
  func erase() async throws {
    try await Backend.open { backend in
      try await backend.sell(quantity: 2)
      #expect(try await !leftovers(backend).isEmpty)
      let before = try await backend.admin("GET", "fulfillments?\(backend.named)").items.first
      for _ in 0..<2 {
        let reply = try await backend.admin("POST", "buyers/cus_1/erase?\(backend.named)")
        #expect(reply.status == 200, "\(reply.text)")
        #expect(reply.data?["customers"]?.array?.count == 1)
      }
      #expect(try await leftovers(backend, events: true) == [])
      #expect(try await audit(backend).filter { $0 == "buyer.erase cus_1" }.count == 2)
      let customer = try #require(try await backend.shop.licenseKit.listCustomers(limit: nil).first)
      #expect(customer.name == "Erased" && customer.email == nil)
      for license in try await backend.shop.licenseKit.listLicenses(LicenseFilter()) {
        #expect(license.customerEmail == nil && license.customerName == nil && license.status == .active)
      }
      for purchase in try await backend.shop.purchases() {
        try await backend.shop.reconciler.reconcile(purchase.id, of: backend.shop.tenant)
      }
      let after = try await backend.admin("GET", "fulfillments?\(backend.named)").items.first
      #expect(after?["status"] == before?["status"] && after?["lines"] == before?["lines"])
      let named = try #require(try await backend.shop.licenseKit.listCustomers(limit: nil).first)
      #expect(named.name == "Erased" && named.email == nil)
      #expect(try await leftovers(backend, events: true) == [])
    }
  }

  @Test("a customer who is deleted at Stripe is erased from the facts by that")
  func deleted() async throws {
    try await Backend.open { backend in
      try await backend.sell()
      try await backend.shop.deliver([
        StripeFixture.Event(
          "evt_deleted", "customer.deleted", at: 1_799_999_500,
          ["id": "cus_1", "object": "customer", "email": "buyer@example.com", "name": "Buyer", "metadata": [:]])
      ])
      try await backend.shop.route()
      #expect(try await leftovers(backend) == [])
    }
  }

  @Test(
    "what is about a person goes, and what is about a sale stays",
    arguments: [
      (
        #"{"object":"checkout.session","id":"cs_1","customer_details":{"email":"e","name":"n"},"amount_total":1}"#,
        #"{"object":"checkout.session","id":"cs_1","amount_total":1}"#
      ),
      (
        #"{"data":{"object":{"object":"customer","id":"cus_1","name":"n","email":"e","metadata":{"a":"b"}}}}"#,
        #"{"data":{"object":{"object":"customer","id":"cus_1","metadata":{"a":"b"}}}}"#
      ),
      (
        #"{"data":{"object":{"object":"product","id":"prod_1","name":"Editor"}}}"#,
        #"{"data":{"object":{"object":"product","id":"prod_1","name":"Editor"}}}"#
      ),
      (
        #"{"data":{"object":{"object":"customer","id":"cus_1"},"previous_attributes":{"name":"n"}}}"#,
        #"{"data":{"object":{"object":"customer","id":"cus_1"},"previous_attributes":{}}}"#
      ),
      (
        #"{"object":"charge","billing_details":{"name":"n"},"receipt_email":"e","refunds":{"data":[{"id":"re_1"}]}}"#,
        #"{"object":"charge","refunds":{"data":[{"id":"re_1"}]}}"#
      ),
    ])
  func personalData(_ object: String, _ less: String) throws {
    #expect(try PersonalData.removed(from: JSONValue(parsing: object)) == JSONValue(parsing: less))
  }
}
