import Foundation
import Identity
import JSON
import LicenseKitAPI
import LicenseKitHTTP
import Testing

@testable import StripeIntegration

@Suite("What a vendor chooses for the whole account")
struct VendorSettingsTests {
  private func turnOn(_ setting: String, _ office: Office) async throws {
    let reply = try await office.admin("PATCH", "settings?\(office.named)", .object(JSONObject([(setting, true)])))
    #expect(reply.status == 200)
    #expect(reply.data?[setting] == true)
  }

  @Test("everything is off by default, one setting changes without the other, and who changed it is on record")
  func settings() async throws {
    try await Office.open { office in
      let before = try await office.admin("GET", "settings?\(office.named)")
      #expect(before.data?["account_id"] == "acct_1")
      #expect(before.data?["bare_payments"] == false)
      #expect(before.data?["update_customers"] == false)
      try await turnOn("update_customers", office)
      let after = try await office.admin("GET", "settings?\(office.named)")
      #expect(after.data?["bare_payments"] == false)
      #expect(after.data?["update_customers"] == true)
      let audit = try await office.admin("GET", "audit?\(office.named)")
      #expect(audit.items.contains { $0["action"] == "settings.update" && $0["detail"] == "update_customers" })
      let other = try await office.admin("GET", "settings?account_id=acct_2&livemode=false")
      #expect(other.data?["update_customers"] == false, "another vendor's are its own")
    }
  }

  @Test("what is no setting, or no truth value, is refused")
  func refused() async throws {
    try await Office.open { office in
      for body in [["mode": true], ["bare_payments": "yes"], ["bare_payments": 1]] as [JSONValue] {
        #expect(try await office.admin("PATCH", "settings?\(office.named)", body).status == 400)
      }
      let vendor = try await office.token(of: Office.other)
      #expect(try await office.admin("GET", "settings?\(office.named)", token: vendor).status == 403)
    }
  }

  private static let renamed: JSONValue = [
    "id": "cus_1", "object": "customer", "name": "Ada Lovelace", "email": "ada@example.com",
  ]

  @Test("a customer's new name and address reach LicenseKit when the vendor wants it", arguments: [true, false])
  func customers(isWanted: Bool) async throws {
    try await Office.open { office in
      try await office.sell()
      if isWanted { try await turnOn("update_customers", office) }
      try await office.shop.deliver([
        StripeFixture.Event("evt_2", "customer.updated", at: 1_799_999_100, Self.renamed)
      ])
      try await office.shop.settle()
      let customer = try await office.shop.licenseKit.listCustomers(limit: 10).first { $0.code.contains("cus_1") }
      #expect(customer?.name == (isWanted ? "Ada Lovelace" : "Buyer"))
      #expect(customer?.email == (isWanted ? "ada@example.com" : "buyer@example.com"))
      // Told again, nothing is written again.
      let purchase = try #require(try await office.shop.purchases().first).id
      try await office.shop.deliver([
        StripeFixture.Event("evt_3", "customer.updated", at: 1_799_999_200, Self.renamed)
      ])
      try await office.shop.settle()
      let story = try await office.admin("GET", "fulfillments/\(purchase)?\(office.named)").data?["timeline"]?.array
      let updates = story?.filter { $0["title"]?.string?.hasPrefix("Update name and address") == true }
      #expect(updates?.count == (isWanted ? 1 : 0))
    }
  }

  private static let payment: JSONValue = [
    "id": "pi_9", "object": "payment_intent", "status": "succeeded", "amount": 9_800, "amount_received": 9_800,
    "receipt_email": "guest@example.com", "latest_charge": "ch_9", "created": 1_799_999_000,
    "metadata": ["licensekit_stripe_price": "price_9", "licensekit_quantity": "2"],
  ]

  @Test("a payment that names what it sells is a sale once the vendor says so", arguments: [true, false])
  func barePayments(isWanted: Bool) async throws {
    try await Office.open { office in
      if isWanted { try await turnOn("bare_payments", office) }
      let stripe = office.shop.stripe
      stripe.setList("checkout/sessions?payment_intent=pi_9", [])
      stripe.setList("invoice_payments", [])
      stripe.set("prices/price_9", ["id": "price_9", "object": "price", "product": "prod_once", "type": "one_time"])
      try await office.shop.deliver([
        StripeFixture.Event("evt_1", "payment_intent.succeeded", at: 1_799_999_001, Self.payment)
      ])
      try await office.shop.settle()
      #expect(try await office.shop.usableLicenses().count == (isWanted ? 2 : 0))
      let shown = try await office.admin("GET", "fulfillments?\(office.named)").items
      guard isWanted else {
        #expect(shown.isEmpty)
        #expect(stripe.questions.isEmpty, "nobody is asked about payments of every sale")
        return
      }
      #expect(shown.first?["purchase"]?["kind"] == "payment")
      #expect(shown.first?["purchase"]?["stripe_id"] == "pi_9")
      let line = shown.first?["lines"]?.array?.first
      #expect(line?["stripe_price_id"] == "price_9")
      #expect(line?["quantity"] == 2)
      #expect(line?["mapping_id"] == "map_prod_once")
      #expect(stripe.questions.contains { $0.hasPrefix("POST payment_intents/pi_9") }, "the ids are written back")
    }
  }
}
