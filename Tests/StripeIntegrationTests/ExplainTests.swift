import Foundation
import HTTPTransport
import Identity
import JSON
import LicenseKitAPI
import Postgres
import Purchases
import StripeAPI
import StripeHTTP
import Testing

@testable import StripeIntegration

private typealias Event = StripeFixture.Event

@Suite("Why there is a license for something at Stripe, or none")
struct ExplainTests {
  private func explain(_ backend: Backend, _ object: String, tenant: String? = nil) async throws -> JSONValue {
    let reply = try await backend.admin("GET", "explain?\(tenant ?? backend.named)&object=\(object)")
    #expect(reply.status == 200, "\(reply.text)")
    return try #require(reply.data)
  }

  private func code(_ explanation: JSONValue) -> String? { explanation["verdict"]?["code"]?.string }

  private func chain(_ explanation: JSONValue) -> String {
    (explanation["chain"]?.array ?? []).compactMap { $0["says"]?.string }.joined(separator: "\n")
  }

  /// Stripe as it is after a sale that no webhook told of.
  private func sellUnheard(
    _ backend: Backend, refunded: Int64 = 0, product: String = "prod_once", at: Int64 = 1_799_999_000
  ) {
    let stripe = backend.shop.stripe
    stripe.set(
      "payment_intents/pi_1",
      [
        "id": "pi_1", "object": "payment_intent", "status": "succeeded", "latest_charge": "ch_1", "amount": 4900,
        "created": .integer(at), "metadata": [:],
      ])
    stripe.set("charges/ch_1", StripeFixture.charge(refunded: refunded))
    stripe.setList("charges?payment_intent=pi_1", [StripeFixture.charge(refunded: refunded)])
    stripe.setList("refunds", refunded == 0 ? [] : [StripeFixture.refund(refunded)])
    stripe.setList("checkout/sessions?payment_intent=pi_1", [StripeFixture.session(at: at)])
    stripe.set("checkout/sessions/cs_test_1", StripeFixture.session(at: at))
    stripe.setList("checkout/sessions/cs_test_1/line_items", [StripeFixture.lineItem(product: product)])
    stripe.setList("invoice_payments", [])
  }

  @Test("a licensed sale is explained by any of its ids, with the whole chain of reasons")
  func licensed() async throws {
    try await Backend.open { backend in
      try await backend.sell()
      let license = try #require(try await backend.shop.licenses().first?.id.rawValue)
      let fulfillment = try #require(try await backend.shop.purchases().first?.id.rawValue)
      for id in ["cs_test_1", "pi_1", "cus_1", "li_1", "evt_1", license, fulfillment] {
        let told = try await explain(backend, id)
        #expect(code(told) == "licensed", "\(id): \(told)")
        #expect(told["fulfillments"]?.array?.first?["id"]?.string == fulfillment, "\(id)")
        let why = chain(told)
        #expect(why.contains("pi_1") && why.contains("map_prod_once") && why.contains("evt_1"), "\(id): \(why)")
        #expect(told["asked_stripe"] == false)
        #expect(!"\(told)".contains("buyer@example.com"))
      }
    }
  }

  @Test("a payment whose webhook never came is followed to its sale, with what would be issued; nothing is written")
  func neverSeen() async throws {
    try await Backend.open { backend in
      sellUnheard(backend, at: Int64(Date().timeIntervalSince1970) + 3_600)
      for id in ["ch_1", "pi_1", "cs_test_1"] {
        let told = try await explain(backend, id)
        #expect(code(told) == "not_seen", "\(told)")
        #expect(told["asked_stripe"] == true)
        #expect(told["if_taken_up"]?["status"] == "fulfilled")
        #expect(
          told["if_taken_up"]?["steps"]?.array?.contains { $0.string?.hasPrefix("Issue license 1") ?? false } == true)
        let does = told["what_to_do"]?.array?.first
        #expect(does?["path"]?.string == "/stripe/admin/explain/fetch?object=\(id)")
      }
      #expect(try await backend.shop.purchases().isEmpty)

      let taken = try await backend.admin("POST", "explain/fetch?\(backend.named)&object=ch_1")
      #expect(taken.status == 200, "\(taken.text)")
      try await backend.shop.settle()
      #expect(code(try await explain(backend, "ch_1")) == "licensed")
      #expect(try await backend.shop.licenses().count == 1)
      let audit = try await backend.admin("GET", "audit?\(backend.named)")
      #expect(audit.items.first?["action"] == "object.take_up")
    }
  }

  @Test("a sale of before the installation is said to be older than that")
  func olderThanInstall() async throws {
    try await Backend.open { backend in
      sellUnheard(backend, at: 1_600_000_000)
      let told = try await explain(backend, "pi_1")
      #expect(code(told) == "not_seen")
      #expect(told["verdict"]?["sentence"]?.string?.contains("older than the installation") == true, "\(told)")
    }
  }

  @Test("an event that Stripe made and that never came is named")
  func undelivered() async throws {
    try await Backend.open { backend in
      let now = Int64(Date().timeIntervalSince1970) + 3_600
      sellUnheard(backend, at: now)
      backend.shop.stripe.setList(
        "events",
        [
          [
            "id": "evt_lost", "object": "event", "type": "checkout.session.completed", "created": .integer(now),
            "pending_webhooks": 1, "data": ["object": StripeFixture.session()],
          ]
        ])
      let told = try await explain(backend, "pi_1")
      #expect(told["verdict"]?["sentence"]?.string?.contains("still tries") == true, "\(told)")
      #expect(chain(told).contains("evt_lost"))
    }
  }

  @Test("a refunded sale that was never heard of is to have no license")
  func refundedUnheard() async throws {
    try await Backend.open { backend in
      sellUnheard(backend, refunded: 4900)
      let told = try await explain(backend, "ch_1")
      #expect(code(told) == "ended", "\(told)")
      #expect(told["verdict"]?["sentence"]?.string?.contains("refunded") == true)
    }
  }

  @Test("a sale without a mapping says which price has none, heard of or not")
  func unmapped() async throws {
    try await Backend.open(mapped: false) { backend in
      sellUnheard(backend)
      #expect(code(try await explain(backend, "pi_1")) == "waiting_mapping")
      try await backend.sell()
      let told = try await explain(backend, "pi_1")
      #expect(code(told) == "waiting_mapping")
      #expect(chain(told).contains("price_of_prod_once of prod_once: no mapping."))
      for id in ["prod_once", "price_of_prod_once"] {
        let catalog = try await explain(backend, id)
        #expect(code(catalog) == "unmapped")
        #expect(catalog["fulfillments"]?.array?.count == 1)
      }
    }
  }

  @Test("an id that nobody knows, one of the other mode, and one that Stripe cannot be asked for are told apart")
  func unknown() async throws {
    try await Backend.open { backend in
      #expect(code(try await explain(backend, "pi_none")) == "unknown_object")
      #expect(code(try await explain(backend, "cs_live_1")) == "wrong_mode")
      #expect(code(try await explain(backend, "il_1")) == "unknown_object")
      #expect(code(try await explain(backend, "nonsense")) == "unknown_object")
      #expect(code(try await explain(backend, "evt_none")) == "unknown_object")
      let other = try await explain(backend, "pi_1", tenant: "account_id=acct_9&livemode=false")
      #expect(code(other) == "not_connected")
      #expect(try await backend.admin("GET", "explain?\(backend.named)").status == 400)
      #expect(try await backend.admin("GET", "explain?\(backend.named)&object=a%20b").status == 400)
    }
  }

  @Test("a payment that names no product says so")
  func barePayment() async throws {
    try await Backend.open { backend in
      sellUnheard(backend)
      backend.shop.stripe.setList("checkout/sessions?payment_intent=pi_1", [])
      let told = try await explain(backend, "pi_1")
      #expect(code(told) == "sells_nothing")
      #expect(told["verdict"]?["sentence"]?.string?.contains("names no product") == true)
    }
  }

  @Test("while the tenant is blocked a sale says what holds it up and who must act, wherever it is shown")
  func parked() async throws {
    try await Backend.open { backend in
      let shop = backend.shop
      try await backend.connections.block(shop.tenant, .stripePermission, detail: "needs checkout_session_read")
      shop.stripe.setList("checkout/sessions/cs_test_1/line_items", [StripeFixture.lineItem()])
      try await shop.deliver([
        Event("evt_1", "checkout.session.completed", at: 1_799_999_001, StripeFixture.session(customer: "cus_1"))
      ])
      try await shop.route()
      let told = try await explain(backend, "pi_1")
      #expect(code(told) == "parked")
      #expect(told["verdict"]?["sentence"]?.string?.contains("checkout_session_read") == true, "\(told)")
      #expect(told["what_to_do"]?.array?.contains { $0["path"] == "/stripe/admin/connections/unpark" } == true)
      let listed = try #require(try await backend.admin("GET", "fulfillments?\(backend.named)").items.first)
      let reason = try #require(listed["reason"]?.string)
      #expect(reason.hasPrefix("Waiting: ") && reason.contains("What to do:"), "\(reason)")
      let view = try await backend.view("payment?payment=pi_1")
      #expect(view.data?["fulfillments"]?.array?.first?["reason"]?.string == reason)

      let unparked = try await backend.admin("POST", "connections/unpark", ["reason": "stripe_permission"])
      #expect(unparked.data?["unparked"] == 1, "\(unparked.text)")
      try await shop.settle()
      #expect(code(try await explain(backend, "pi_1")) == "licensed")
    }
  }

  @Test("all connections are let go on by the operator only, and for a named reason")
  func unblockMany() async throws {
    try await Backend.open { backend in
      let tenants = (10..<13).map { Tenant(account: .init("acct_\($0)"), livemode: false) }
      for tenant in tenants {
        try await backend.connections.connect(
          TokenGrant(accessToken: "a", refreshToken: "r", livemode: false, account: tenant.account), licenseKit: nil)
        try await backend.connections.block(tenant, .licensekitCredential, detail: "refused")
      }
      try await backend.connections.block(Backend.other, .stripeCredential, detail: "refused")
      #expect(try await backend.admin("POST", "connections/unpark", [:]).status == 422)
      let token = try await backend.token(of: Backend.other)
      let own = try await backend.admin("POST", "connections/unpark", [:], token: token)
      #expect(own.status == 200, "\(own.text)")
      try await backend.connections.block(Backend.other, .stripeCredential, detail: "refused")
      let done = try await backend.admin("POST", "connections/unpark", ["reason": "licensekit_credential"])
      #expect(done.data?["unparked"] == 3)
      for tenant in tenants { #expect(try await backend.connections.connection(of: tenant)?.blockedReason == nil) }
      #expect(try await backend.connections.connection(of: Backend.other)?.blockedReason == "stripe_credential")
    }
  }

  @Test("another tenant's ids are unknown, also to its own token")
  func isolated() async throws {
    try await Backend.open { backend in
      try await backend.sell()
      let token = try await backend.token(of: Backend.other)
      backend.shop.stripe.set("payment_intents/pi_1", .null)
      for id in ["pi_1", "cs_test_1", "cus_1", "li_1", "evt_1"] {
        let reply = try await backend.admin("GET", "explain?object=\(id)", token: token)
        #expect(reply.data?["fulfillments"]?.array?.isEmpty == true, "\(id): \(reply.text)")
        #expect(reply.data?["events"]?.array?.isEmpty == true)
      }
    }
  }

  @Test("an event that cannot be read is named as what is missing")
  func failedEvent() async throws {
    try await Backend.open { backend in
      try await backend.shop.deliver([
        Event(
          "evt_1", "checkout.session.completed", at: 1_799_999_001,
          ["id": "cs_test_1", "object": "checkout.session", "payment_intent": "pi_1"])
      ])
      try await backend.shop.route()
      for id in ["pi_1", "evt_1", "cs_test_1"] {
        let told = try await explain(backend, id)
        #expect(code(told) == "event_failed", "\(id): \(told)")
        #expect(told["what_to_do"]?.array?.first?["path"]?.string == "/stripe/admin/events/evt_1/replay")
      }
    }
  }

  @Test("the story says what came, what was asked and answered, what was decided and why, and what was done")
  func story() async throws {
    try await Backend.open { backend in
      try await backend.sell(quantity: 2)
      let id = try #require(try await backend.shop.purchases().first?.id)
      let one = try await backend.admin("GET", "fulfillments/\(id)?\(backend.named)")
      let story = try #require(one.data?["timeline"]?.array)
      let text = story.compactMap { "\($0["title"]?.string ?? "") | \($0["detail"]?.string ?? "")" }.joined(
        separator: "\n")
      #expect(
        text.contains("Stripe says: Checkout Session cs_test_1 was completed (checkout.session.completed, evt_1)."))
      #expect(text.contains("Then it is complete, paid"))
      #expect(
        text.contains(
          "Asked Stripe for the line items of cs_test_1. | The answer: li_1 (price_of_prod_once of prod_once × 2)"))
      #expect(
        text.contains(
          "Decided: the buyer has access. | Line li_1 (price_of_prod_once of prod_once × 2): 2 licenses, active"))
      #expect(text.contains("a license for each unit"))
      #expect(text.contains("LicenseKit: req_"))
      #expect(!text.contains("buyer@example.com"))

      let decisions = story.count { $0["kind"] == "decision" }
      _ = try await backend.admin("POST", "fulfillments/\(id)/replay?\(backend.named)")
      try await backend.shop.settle()
      let again = try await backend.admin("GET", "fulfillments/\(id)?\(backend.named)")
      #expect(again.data?["timeline"]?.array?.count { $0["kind"] == "decision" } == decisions)
    }
  }
}

extension StripeFixture {
  static func refund(_ amount: Int64) -> JSONValue {
    [
      "id": "re_1", "object": "refund", "amount": .integer(amount), "charge": "ch_1", "payment_intent": "pi_1",
      "status": "succeeded", "created": 1_799_999_500,
    ]
  }
}
