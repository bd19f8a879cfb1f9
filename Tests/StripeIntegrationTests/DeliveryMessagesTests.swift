import Cryptography
import Foundation
import HTTPTransport
import Identity
import JSON
import LicenseKitAPI
import Postgres
import Tenancy
import TestSupport
import Testing

@testable import Purchases
@testable import StripeIntegration

@Suite("What a vendor is told of")
struct DeliveryMessagesTests {
  @Test("a new license, signed, with everything that names it and without its key")
  func issued() async throws {
    try await PostRoom.open { room in
      let made = try await room.endpoint()
      try await room.sell()
      try await room.deliver()
      let call = try #require(room.receiver.calls.first)
      #expect(room.receiver.calls.count == 1)
      #expect(call.isSigned(with: made.secret))
      #expect(!call.isSigned(with: "nts_other"))
      #expect(!call.isSigned(with: made.secret, at: Shop.now + 301))
      let license = try #require(try await room.shop.licenses().first)
      let body = try #require(call.json)
      #expect(body["type"]?.string == "license.issued")
      #expect(body["account_id"]?.string == "acct_1" && body["livemode"]?.bool == false)
      #expect(body["sequence"]?.integer == 1)
      let data = try #require(body["data"])
      #expect(data["license"]?["id"]?.string == license.id.rawValue)
      #expect(data["license"]?["status"]?.string == "active")
      #expect(data["license"]?["key_hint"]?.string?.hasSuffix(license.licenseKeyLast4) == true)
      #expect(data["license"]?["license_key"] == nil)
      #expect(data["purchase"] == ["kind": "checkout", "stripe_id": "cs_test_1"])
      #expect(data["customer"]?["licensekit_id"]?.string == license.customerID?.rawValue)
      #expect(data["product_id"]?.string == room.shop.product.rawValue)
      #expect(data["policy_id"]?.string == room.shop.policies.perpetual.rawValue)
      let purchase = try #require(try await room.shop.purchases().first)
      #expect(data["fulfillment_id"]?.string == purchase.id.rawValue)
      #expect(call.header("LicenseKit-Event-Type") == "license.issued")
      let key = try #require(try await room.shop.key(of: license.id))
      #expect(!call.body.contains(Array(key.utf8)))
      let told = try await room.texts("SELECT title AS text FROM stripe_integration.timeline WHERE title LIKE 'Told %'")
      #expect(told == ["Told \(room.url) of license.issued."])
    }
  }

  @Test("the key as well, where the endpoint is to have it, with an entry in the audit log")
  func withKey() async throws {
    try await PostRoom.open { room in
      try await room.endpoint(key: true)
      try await room.sell()
      try await room.refund()
      try await room.deliver()
      let license = try #require(try await room.shop.licenses().first)
      let key = try #require(try await room.shop.key(of: license.id))
      let keys = room.receiver.calls.map { $0.json?["data"]?["license"]?["license_key"]?.string }
      #expect(Set(room.receiver.calls.compactMap(\.type)) == ["license.issued", "license.revoked"])
      #expect(keys.compactMap { $0 } == [key])
      let audit = try await room.texts(
        "SELECT target AS text FROM stripe_integration.audit WHERE action = 'license.notice'")
      #expect(audit == [license.id.rawValue])
      let rows = try await room.texts(
        """
        SELECT n::text || d::text AS text
          FROM stripe_integration.notices n
          JOIN stripe_integration.deliveries d USING (account_id, livemode, notice_id)
        """)
      #expect(!rows.contains { $0.contains(key) })
    }
  }

  @Test("suspension, reinstatement and the end, each once and in order, and only the types that were asked for")
  func lifeOfALicense() async throws {
    try await PostRoom.open { room in
      try await room.endpoint("/all")
      try await room.endpoint("/ends", types: [.revoked])
      try await room.sell()
      try await room.dispute("needs_response", at: 1_799_999_110)
      try await room.dispute("won", at: 1_799_999_120)
      try await room.refund()
      try await room.deliver()
      #expect(
        try await room.messages() == [
          "license.issued 1", "license.suspended 2", "license.reinstated 3", "license.revoked 4",
        ])
      let calls = room.receiver.calls(to: "/all").compactMap(\.json)
        .sorted { ($0["sequence"]?.integer ?? 0) < ($1["sequence"]?.integer ?? 0) }
      #expect(calls.map { $0["data"]?["license"]?["status"]?.string } == ["active", "suspended", "active", "revoked"])
      #expect(calls[1]["data"]?["license"]?["previous"] == ["status": "active"])
      #expect(calls[1]["data"]?["reason"]?.string?.isEmpty == false)
      #expect(room.receiver.calls(to: "/ends").map(\.type) == ["license.revoked"])
    }
  }

  @Test(
    "one message for each change, wherever the way to LicenseKit breaks",
    arguments: [FaultyLine.Break.before, .after])
  func survivesEveryBreak(mode: FaultyLine.Break) async throws {
    for call in 1...9 {
      try await PostRoom.open { room in
        try await room.endpoint()
        room.shop.stripe.setList("checkout/sessions/cs_test_1/line_items", [StripeFixture.lineItem()])
        room.shop.line.breakOnce(at: call, mode)
        try await room.sell()
        try await room.refund()
        _ = room.shop.line.mend()
        // Sales and refunds that are told of again change nothing.
        try await room.sell()
        try await room.refund()
        #expect(try await room.messages() == ["license.issued 1", "license.revoked 2"], "broken \(mode) call \(call)")
        try await room.deliver()
        let license = try #require(room.receiver.calls.first?.json?["data"]?["license"]?["id"]?.string)
        #expect(try await room.shop.key(of: LicenseID(license)) != nil)
        #expect(room.receiver.calls.count == 2)
      }
    }
  }

  @Test("nothing of a step whose record was rolled back, nor of a run whose lease was lost")
  func rolledBack() async throws {
    try await PostRoom.open { room in
      try await room.endpoint()
      let key = UnitKey(line: "li_1", product: room.shop.product, ordinal: 1)
      let before = Self.recorded(key, .active, nil)
      let after = Self.recorded(key, .suspended, nil)
      do {
        try await room.shop.database.transaction(for: room.shop.tenant) { transaction in
          try await MessageOutbox(tenant: room.shop.tenant, purchase: "ful_1", transaction: transaction)
            .note(.suspend(key, because: "a dispute"), before: before, after: after)
          let written = try await transaction.query("SELECT notice_id FROM stripe_integration.notices").count
          #expect(written == 1)
          throw Stop()
        }
      } catch is Stop {}
      let messages = try await room.messages()
      #expect(messages.isEmpty)
      let deliveries = try await room.texts("SELECT delivery_id AS text FROM stripe_integration.deliveries")
      #expect(deliveries.isEmpty)
    }
  }

  private struct Stop: Error {}

  private static func recorded(
    _ key: UnitKey, _ status: Recorded.Unit.Status, _ expiresAt: Date?, _ id: LicenseID = "lic_1"
  ) -> Recorded {
    var recorded = Recorded()
    let license = Recorded.Unit.License.issued(id, status: status, expiresAt: expiresAt, features: [])
    recorded.units[key] = Recorded.Unit(generation: 1, license: license)
    return recorded
  }

  @Test("a step that changes nothing is no change")
  func changes() throws {
    let key = UnitKey(line: "li_1", product: "prd_1", ordinal: 1)
    let until = Date(timeIntervalSince1970: 1_900_000_000)
    let renew = Step.renew(key, until: until, order: nil, subscription: nil)
    let former = Self.recorded(key, .active, Shop.now)
    let longer = Self.recorded(key, .active, until)
    let renewed = try #require(LicenseChange(renew, before: former, after: longer))
    #expect(renewed.type == .renewed)
    #expect(renewed.former?.expiresAt == Shop.now)
    #expect(renewed.state.expiresAt == until)
    let again = LicenseChange(renew, before: longer, after: longer)
    #expect(again == nil)
    let reinstated = LicenseChange(.reinstate(key), before: longer, after: longer)
    #expect(reinstated == nil)
    let other = Self.recorded(key, .active, nil, "lic_2")
    let replaced = try #require(LicenseChange(.revokeReplaced(key, "lic_1"), before: other, after: other))
    #expect(replaced.type == .revoked)
    #expect(replaced.license == "lic_1")
    #expect(replaced.state.status == .revoked)
    let buyer = DesiredCustomer(code: "c", name: "n", email: nil, stripeCustomer: nil)
    let made = LicenseChange(.createCustomer(buyer), before: other, after: other)
    #expect(made == nil)
  }
}
