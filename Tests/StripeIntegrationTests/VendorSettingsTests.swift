import Foundation
import Identity
import JSON
import LicenseKitAPI
import LicenseKitHTTP
import Testing

@testable import StripeIntegration

@Suite("What a vendor chooses for the whole account")
struct VendorSettingsTests {
  private func turnOn(_ setting: String, _ backend: Backend) async throws {
    let reply = try await backend.admin("PATCH", "settings?\(backend.named)", .object(JSONObject([(setting, true)])))
    #expect(reply.status == 200)
    #expect(reply.data?[setting] == true)
  }

  @Test("everything is off by default, one setting changes without the other, and who changed it is on record")
  func settings() async throws {
    try await Backend.open { backend in
      let before = try await backend.admin("GET", "settings?\(backend.named)")
      #expect(before.data?["account_id"] == "acct_1")
      #expect(before.data?["bare_payments"] == false)
      #expect(before.data?["update_customers"] == false)
      try await turnOn("update_customers", backend)
      let after = try await backend.admin("GET", "settings?\(backend.named)")
      #expect(after.data?["bare_payments"] == false)
      #expect(after.data?["update_customers"] == true)
      let audit = try await backend.admin("GET", "audit?\(backend.named)")
      #expect(audit.items.contains { $0["action"] == "settings.update" && $0["detail"] == "update_customers" })
      let other = try await backend.admin("GET", "settings?account_id=acct_2&livemode=false")
      #expect(other.data?["update_customers"] == false, "another vendor's are its own")
    }
  }

  @Test("what is no setting, or no truth value, is refused")
  func refused() async throws {
    try await Backend.open { backend in
      for body in [["mode": true], ["bare_payments": "yes"], ["bare_payments": 1]] as [JSONValue] {
        #expect(try await backend.admin("PATCH", "settings?\(backend.named)", body).status == 400)
      }
      let vendor = try await backend.token(of: Backend.other)
      #expect(try await backend.admin("GET", "settings?\(backend.named)", token: vendor).status == 403)
    }
  }

  private static let renamed: JSONValue = [
    "id": "cus_1", "object": "customer", "name": "Ada Lovelace", "email": "ada@example.com",
  ]

  @Test("a customer's new name and address reach LicenseKit when the vendor wants it", arguments: [true, false])
  func customers(isWanted: Bool) async throws {
    try await Backend.open { backend in
      try await backend.sell()
      if isWanted { try await turnOn("update_customers", backend) }
      try await backend.shop.deliver([
        StripeFixture.Event("evt_2", "customer.updated", at: 1_799_999_100, Self.renamed)
      ])
      try await backend.shop.settle()
      let customer = try await backend.shop.licenseKit.listCustomers(limit: 10).first { $0.code.contains("cus_1") }
      #expect(customer?.name == (isWanted ? "Ada Lovelace" : "Buyer"))
      #expect(customer?.email == (isWanted ? "ada@example.com" : "buyer@example.com"))
      // Told again, nothing is written again.
      let purchase = try #require(try await backend.shop.purchases().first).id
      try await backend.shop.deliver([
        StripeFixture.Event("evt_3", "customer.updated", at: 1_799_999_200, Self.renamed)
      ])
      try await backend.shop.settle()
      let story = try await backend.admin("GET", "fulfillments/\(purchase)?\(backend.named)").data?["timeline"]?.array
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
    try await Backend.open { backend in
      if isWanted { try await turnOn("bare_payments", backend) }
      let stripe = backend.shop.stripe
      stripe.setList("checkout/sessions?payment_intent=pi_9", [])
      stripe.setList("invoice_payments", [])
      stripe.set("prices/price_9", ["id": "price_9", "object": "price", "product": "prod_once", "type": "one_time"])
      try await backend.shop.deliver([
        StripeFixture.Event("evt_1", "payment_intent.succeeded", at: 1_799_999_001, Self.payment)
      ])
      try await backend.shop.settle()
      #expect(try await backend.shop.usableLicenses().count == (isWanted ? 2 : 0))
      let shown = try await backend.admin("GET", "fulfillments?\(backend.named)").items
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
