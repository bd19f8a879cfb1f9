import Foundation
import Identity
import JSON
import LicenseKitAPI
import LicenseKitHTTP
import Logging
import Postgres
import ServerKit
import StripeAPI
import Tenancy
import Testing

@testable import StripeIntegration

@Suite("A license that a person changes at LicenseKit")
struct DriftDetectorTests {
  private func detector(_ shop: Shop) -> DriftDetector {
    DriftDetector(
      database: shop.database, licenseKit: FixedLicenseKit(client: shop.licenseKit), wakeUp: WakeUp(),
      interval: .seconds(300), logger: Logger(label: "watch", factory: { _ in SwiftLogNoOpLogHandler() }))
  }

  private func refund(_ shop: Shop) async throws {
    let charge = StripeFixture.charge(refunded: 4_900)
    shop.stripe.set("charges/ch_1", charge)
    try await shop.deliver([StripeFixture.Event("evt_9", "charge.refunded", at: 1_799_999_900, charge)])
    try await shop.settle()
  }

  private func shown(_ backend: Backend) async throws -> (purchase: JSONValue, license: JSONValue) {
    let listed = try await backend.admin("GET", "fulfillments?\(backend.named)")
    let purchase = try #require(listed.items.first)
    return (purchase, try #require(purchase["lines"]?.array?.first?["licenses"]?.array?.first))
  }

  @Test("is seen without any event of Stripe's, shown, and left as it is")
  func seen() async throws {
    try await Backend.open { backend in
      let shop = backend.shop
      try await backend.sell()
      let detector = detector(shop)
      #expect(try await detector.claim() == shop.tenant)
      #expect(try await detector.claim() == nil)
      try await detector.read(shop.tenant)
      let license = try #require(try await shop.licenses().first?.id)

      _ = try await shop.licenseKit.suspendLicense(license)
      #expect(try await detector.read(shop.tenant) == 1)
      try await shop.settle()
      var shown = try await shown(backend)
      #expect(shown.purchase["status"] == "suspended")
      #expect(shown.purchase["reason"]?.string?.contains("suspended by hand") == true)
      #expect(shown.license["status"] == "suspended")
      #expect(shown.license["changed_by_hand"] == ["suspended"])
      let id = try #require(shown.purchase["id"]?.string)
      let story = try await backend.admin("GET", "fulfillments/\(id)?\(backend.named)").data?["timeline"]?.array ?? []
      #expect(story.contains { $0["title"]?.string?.contains("suspended by hand") == true })

      // Another look finds nothing new, and the license as the person left it.
      #expect(try await detector.read(shop.tenant) == 0)
      #expect(try await shop.licenses().map(\.status) == [.suspended])

      // Undone by hand: nothing is left of it.
      _ = try await shop.licenseKit.reinstateLicense(license)
      #expect(try await detector.read(shop.tenant) == 1)
      try await shop.settle()
      shown = try await self.shown(backend)
      #expect(shown.purchase["status"] == "fulfilled")
      #expect(shown.purchase["reason"] == .null)
      #expect(shown.license["changed_by_hand"] == [])
    }
  }

  @Test("is told from what the service did itself")
  func ownChanges() async throws {
    try await Backend.open { backend in
      let shop = backend.shop
      try await backend.sell(quantity: 2)
      let detector = detector(shop)
      try await detector.read(shop.tenant)
      try await refund(shop)
      #expect(try await shop.licenses().allSatisfy { $0.status == .revoked })
      #expect(try await detector.read(shop.tenant) == 0)
      #expect(try await shown(backend).license["changed_by_hand"] == [])
    }
  }

  @Test("and revokes is not issued anew, until it is released")
  func released() async throws {
    try await Backend.open { backend in
      let shop = backend.shop
      try await backend.sell()
      let license = try #require(try await shop.licenses().first?.id)
      _ = try await shop.licenseKit.revokeLicense(license)
      let id = try #require(try await shown(backend).purchase["id"]?.string)

      // A replay looks at LicenseKit as well, and changes nothing.
      #expect(try await backend.admin("POST", "fulfillments/\(id)/replay?\(backend.named)").status == 200)
      try await shop.settle()
      #expect(try await shop.licenses().map(\.status) == [.revoked])
      #expect(try await shown(backend).purchase["status"] == "ended")

      let release = "fulfillments/\(id)/licenses/\(license)/release?\(backend.named)"
      #expect(try await backend.admin("POST", release).status == 200)
      try await shop.settle()
      #expect(try await shop.usableLicenses().count == 1)
      #expect(try await shop.licenses().count == 2)
      #expect(try await shown(backend).purchase["status"] == "fulfilled")
      #expect(try await backend.admin("POST", release).status == 404)
      let audit = try await backend.admin("GET", "audit?\(backend.named)").items
      #expect(audit.contains { $0["action"] == "license.release" && $0["target"]?.string == license.rawValue })
    }
  }

  @Test("is looked at before the service changes it: money that went back still ends it")
  func refundAfterwards() async throws {
    try await Backend.open { backend in
      let shop = backend.shop
      try await backend.sell()
      let license = try #require(try await shop.licenses().first?.id)
      _ = try await shop.licenseKit.suspendLicense(license)
      try await refund(shop)
      #expect(try await shop.licenses().map(\.status) == [.revoked])
      #expect(try await shown(backend).purchase["status"] == "ended")
    }
  }
}

@Suite("A change that LicenseKit refuses")
struct RefusedChangeTests {
  @Test("leaves nothing in flight: what a person does afterwards is seen")
  func notInFlight() async throws {
    try await Backend.open { backend in
      let shop = backend.shop
      try await backend.sell()
      let license = try #require(try await shop.licenses().first?.id)
      // A grant of a feature that nobody has, as by a wrong mapping.
      try await shop.database.transaction(for: shop.tenant) { transaction in
        _ = try await transaction.query(
          """
          UPDATE stripe_integration.lines
             SET terms = jsonb_set(terms, '{features}', '[{"feature_id": "feat_nobody_has"}]')
           WHERE account_id = \(shop.tenant.account)
             AND livemode   = \(shop.tenant.livemode)
          """)
        let index = PurchaseIndex(tenant: shop.tenant, transaction: transaction)
        let purchase = try #require(try await index.purchase(of: ["cs_test_1"], creating: false))
        try await index.requestReconcile(of: purchase)
      }
      try await shop.settle()
      #expect(try await shop.purchases().map(\.status) == ["failed"])
      let features = try await shop.database.transaction(for: shop.tenant) { transaction in
        try await transaction.query("SELECT features::text AS features FROM stripe_integration.units")
          .map { row in try row.get("features", as: String.self) }
      }
      #expect(features == ["[]"], "not as if a grant were in doubt")
      _ = try await shop.licenseKit.suspendLicense(license)
      let id = try #require(try await backend.admin("GET", "fulfillments?\(backend.named)").items.first?["id"]?.string)
      #expect(try await backend.admin("POST", "fulfillments/\(id)/replay?\(backend.named)").status == 200)
      try await shop.settle()
      #expect(try await shop.licenses().map(\.status) == [.suspended])
    }
  }
}

@Suite("A license whose policy is another by now")
struct ReplacementTests {
  /// The terms of the sale name another policy, as when a changed mapping is applied to it.
  private func changePolicy(_ shop: Shop, to policy: PolicyID) async throws {
    try await shop.database.transaction(for: shop.tenant) { transaction in
      try await transaction.query(
        """
        UPDATE stripe_integration.lines
           SET terms = jsonb_set(terms, '{policy}', to_jsonb(\(policy)::text))
         WHERE account_id = \(shop.tenant.account)
           AND livemode   = \(shop.tenant.livemode)
        """)
      let index = PurchaseIndex(tenant: shop.tenant, transaction: transaction)
      let purchase = try #require(try await index.purchase(of: ["cs_test_1"], creating: false))
      try await index.requestReconcile(of: purchase)
    }
  }

  private func anotherPolicy(_ shop: Shop) async throws -> PolicyID {
    try await shop.licenseKit.createPolicy(
      shop.product, PolicyCreateRequest(name: "Another", code: "another", licenseType: .perpetual)
    ).id
  }

  @Test(
    "is replaced: one works at any moment, and wherever the way to LicenseKit breaks, one is left",
    arguments: [FaultyLine.Break.before, .after])
  func replaced(mode: FaultyLine.Break) async throws {
    // A look at the old license, the new one, the end of the old one, and a call beyond.
    for call in 1...4 {
      try await Backend.open { backend in
        let shop = backend.shop
        try await backend.sell()
        let former = try #require(try await shop.licenses().first)
        try await changePolicy(shop, to: try await anotherPolicy(shop))
        shop.line.breakOnce(at: call, mode)
        try await shop.settle()
        #expect(shop.line.mend() == (call < 4))
        let usable = try await shop.usableLicenses()
        #expect(usable.count == 1, "broken \(mode) call \(call)")
        #expect(usable.first?.policyID != former.policyID)
        let kept = try #require(usable.first)
        let key = try #require(try await shop.key(of: kept.id))
        #expect(key.hasSuffix(kept.licenseKeyLast4))
        #expect(try await shop.purchases().map(\.status) == ["fulfilled"])
      }
    }
  }

  @Test("stands again when the new one was cut off and then refused, and ends when the money goes back")
  func cutOffThenRefused() async throws {
    try await Backend.open { backend in
      let shop = backend.shop
      try await backend.sell()
      let former = try #require(try await shop.licenses().first)
      let purchase = try #require(try await shop.purchases().first?.id)
      try await changePolicy(shop, to: try await anotherPolicy(shop))
      shop.line.breakOnce(at: 2, .after)
      try await shop.reconciler.reconcile(purchase, of: shop.tenant)
      #expect(shop.line.mend())
      #expect(try await shop.usableLicenses().count == 2, "the new one is there, and nobody has its key")

      try await changePolicy(shop, to: "pol_nobody_has")
      try await shop.settle()
      #expect(try await shop.purchases().map(\.status) == ["failed"])
      #expect(try await shop.usableLicenses().map(\.id) == [former.id])

      let charge = StripeFixture.charge(refunded: 4_900)
      shop.stripe.set("charges/ch_1", charge)
      shop.stripe.setList("refunds", [])
      try await shop.deliver([StripeFixture.Event("evt_9", "charge.refunded", at: 1_799_999_900, charge)])
      try await shop.settle()
      #expect(try await shop.usableLicenses().isEmpty)
    }
  }

  @Test("stays as it is when LicenseKit refuses the new one")
  func refused() async throws {
    try await Backend.open { backend in
      let shop = backend.shop
      try await backend.sell()
      let former = try #require(try await shop.licenses().first)
      try await changePolicy(shop, to: "pol_nobody_has")
      try await shop.settle()
      #expect(try await shop.purchases().map(\.status) == ["failed"])
      #expect(try await shop.usableLicenses().map(\.id) == [former.id])
      let shown = try #require(try await backend.admin("GET", "fulfillments?\(backend.named)").items.first)
      #expect(shown["lines"]?.array?.first?["licenses"]?.array?.first?["id"]?.string == former.id.rawValue)
    }
  }
}
