import Foundation
import Identity
import JSON
import LicenseKitAPI
import StripeAPI
import Testing

@testable import Purchases

@Suite("Events about records: customers, products, links")
struct RecordEventTests {
  private func customer(_ name: String, _ email: String) -> JSONValue {
    ["id": "cus_1", "object": "customer", "name": .string(name), "email": .string(email)]
  }

  // MARK: Customers

  @Test(
    "A changed name and address are taken over where the vendor wants it, and else are not", arguments: [true, false])
  func customerUpdated(isWanted: Bool) {
    var story = Story()
    story.sets(TenantSettings(updateCustomers: isWanted))
    story.buys(one())
    #expect(story.service.contacts.values.first?.email == "buyer@example.com")
    story.happens { stripe, _ in stripe.emit("customer.updated", customer("Ada", "ada@example.com")) }
    story.deliver("checkout.session.completed")
    #expect(story.service.contacts.values.first?.email == (isWanted ? "ada@example.com" : "buyer@example.com"))
    #expect(story.service.contacts.values.first?.name == (isWanted ? "Ada" : "Buyer"))
    #expect(story.licenses == ["lk_a active"])
  }

  @Test(
    "A name that says nothing is none: the buyer is named by the address, or else by Stripe's id",
    arguments: ["", "   ", "\u{3164}", "\u{200B}", "\t\n"])
  func blankName(_ blank: String) throws {
    for (email, named) in [("ada@example.com", "ada@example.com"), (blank, "Stripe guest-cs_1")] {
      var fixture = EventFixture()
      try fixture.hears(
        "checkout.session.completed",
        [
          "id": "cs_1", "object": "checkout.session", "mode": "payment", "status": "complete", "payment_status": "paid",
          "payment_intent": "pi_1", "customer_details": ["name": .string(blank), "email": .string(email)],
          "customer_email": .string(blank), "created": .integer(EventFixture.start),
        ])
      fixture.knowledge.learnAnswer(
        .lineItems(
          of: "cs_1",
          [
            try Stripe.LineItem([
              "id": "li_1", "object": "item", "quantity": 1,
              "price": ["id": "price_1", "object": "price", "product": "prod_a", "type": "one_time"],
            ])
          ]), answeredAt: fixture.knowledge.newest ?? .distantPast)
      let customer = try #require(fixture.decides().customer)
      #expect(customer.name == named)
      #expect(customer.email == (email == blank ? nil : email))
    }
  }

  @Test("Two purchases of one buyer share the record, which is changed once")
  func sharedCustomer() {
    var story = Story()
    story.sets(TenantSettings(updateCustomers: true))
    story.buys(one())
    story.buys(one("price_b1"))
    story.happens { stripe, _ in stripe.emit("customer.updated", customer("Ada", "ada@example.com")) }
    #expect(story.service.contacts.count == 1)
    #expect(story.service.contacts.values.first?.name == "Ada")
    #expect(story.problems.isEmpty)
  }

  @Test("A customer who is deleted at Stripe keeps what was bought once, and the record stays as it was")
  func customerDeleted() {
    var story = Story()
    story.sets(TenantSettings(updateCustomers: true))
    story.buys(one())
    story.happens { stripe, _ in stripe.emit("customer.deleted", customer("", "")) }
    story.deliver("checkout.session.completed")
    #expect(story.licenses == ["lk_a active"])
    #expect(story.service.contacts.values.first?.email == "buyer@example.com")
    #expect(story.decision?.customer?.stripeCustomer == nil, "nothing is written to what is gone")
  }

  @Test("A deleted customer's subscriptions end by events of their own")
  func deletedSubscriber() {
    var story = Story { $0.onCancel = .suspend }
    story.subscribes(one())
    story.happens { stripe, _ in stripe.emit("customer.deleted", customer("", "")) }
    #expect(story.licenses == ["lk_a active"])
    story.then(.cancelNow)
    #expect(story.licenses == ["lk_a suspended"])
  }

  @Test("The deletion is told by the event, since the customer in it looks like any other")
  func deletion() throws {
    let effect = try EventFixture.effect("customer.deleted", customer("Ada", "ada@example.com"))
    guard case .learn(.customer(let customer), .none) = effect else {
      Issue.record("\(effect)")
      return
    }
    #expect(customer.isDeleted)
    #expect(customer.name == nil && customer.email == nil, "nothing more is kept of who was deleted")
  }

  // MARK: Products and prices

  @Test("A product or price that is archived or deleted leaves licenses alone, and warns of its mapping")
  func catalogue() throws {
    let price: JSONValue = ["id": "price_1", "object": "price", "product": "prod_1", "active": false]
    let product: JSONValue = ["id": "prod_1", "object": "product", "active": true, "name": "App"]
    for (type, object, isWarned) in [
      ("product.created", product, false), ("product.updated", product, false), ("product.deleted", product, true),
      ("price.created", price, true), ("price.updated", price, true), ("price.deleted", price, true),
    ] {
      guard case .learn(let snapshot, .none) = try EventFixture.effect(type, object) else {
        Issue.record("\(type) is looked at, or ignored")
        continue
      }
      #expect(snapshot.aliases.isEmpty, "it belongs to many purchases")
      #expect(snapshot.isWithdrawn == isWarned, "\(type)")
    }
  }

  @Test("Terms that were agreed before a choice existed have its default")
  func formerTerms() throws {
    var stored = try #require(try JSONCoding.encode(Offer.terms("lk_a") { $0.onFraudWarning = .suspend }).object)
    #expect(try JSONCoding.decode(Terms.self, from: .object(stored)).onFraudWarning == .suspend)
    stored["on_fraud_warning"] = nil
    #expect(try JSONCoding.decode(Terms.self, from: .object(stored)).onFraudWarning == .keep)
    #expect(try JSONCoding.decode(Terms.self, from: .object(stored)).features == Offer.terms("lk_a").features)
  }

  // MARK: What is ignored

  @Test(
    "Each type that is known and ignored has a reason of its own",
    arguments: [
      "payment_link.created", "payment_link.updated", "entitlements.active_entitlement_summary.updated",
      "account.updated", "ping",
    ])
  func ignored(type: String) throws {
    guard case .ignore(let reason) = try EventFixture.effect(type, ["object": "other"]) else {
      Issue.record("\(type) has an effect")
      return
    }
    #expect(reason != "This event type has no effect on licenses.")
  }

  @Test(
    "What is about no object that has an id is ignored, whatever its type",
    arguments: [
      "invoice.paid", "customer.subscription.updated", "checkout.session.completed", "charge.refunded",
      "charge.dispute.created", "product.updated",
    ],
    [nil, [:], ["object": "other"], ["id": 7], ["id": ""], [["id": "in_1"]], "in_1"] as [JSONValue])
  func aboutNothing(type: String, object: JSONValue) throws {
    #expect(try EventFixture.effect(type, object) == .ignore("The event is about no object that has an id."))
  }

  @Test("An object with an id that lacks what a decision needs is no such event: it is worth another attempt")
  func unreadable() {
    #expect(throws: StripeObjectError.self) { try EventFixture.effect("checkout.session.completed", ["id": "cs_1"]) }
  }

  @Test("A dispute without an id is taken up by its charge")
  func formerDispute() throws {
    let effect = try EventFixture.effect(
      "charge.dispute.created", ["object": "dispute", "charge": "ch_1", "status": "needs_response", "amount": 900])
    guard case .learn(let snapshot, .always) = effect else {
      Issue.record("it is ignored")
      return
    }
    #expect(snapshot.aliases.contains("ch_1"))
  }

  @Test("Ids that this service wrote come back as an event and are ignored; a key of the vendor's own is not")
  func ownWrites() throws {
    func event(_ previous: JSONValue, _ metadata: JSONValue) throws -> StripeEvent {
      try StripeEvent([
        "id": "evt_1", "object": "event", "type": "customer.updated", "created": .integer(EventFixture.start),
        "livemode": true, "account": "acct_1",
        "data": [
          "object": ["id": "cus_1", "object": "customer", "metadata": metadata],
          "previous_attributes": ["metadata": previous],
        ],
      ])
    }
    let own = try EventTable.effect(
      of: try event(["licensekit_customer_id": nil], ["licensekit_customer_id": "cst_1"]))
    #expect(own == .ignore("Only the ids written by this service have changed."))
    let vendors = try EventTable.effect(
      of: try event(["licensekit_stripe_price": nil], ["licensekit_stripe_price": "price_1"]))
    #expect(vendors != own)
  }
}

@Suite("Notes on events, in plain words")
struct EventNoteTests {
  private func note(_ type: String, _ object: JSONValue) throws -> EventNote? {
    let event = try EventFixture.event(type, object)
    guard case .learn(let snapshot, _) = try EventTable.effect(of: event) else { return nil }
    return EventNote(on: event, snapshot)
  }

  @Test("A payment that must be confirmed, that failed, or was given up")
  func invoices() throws {
    let invoice = EventFixture.invoice([], status: "open")
    #expect(
      try note("invoice.payment_action_required", invoice)?.title
        == "The buyer's bank wants the buyer to confirm the payment.")
    #expect(
      try note("invoice.payment_failed", invoice)?.detail == "Invoice in_1. Stripe does not try again by itself.")
    #expect(try note("invoice.marked_uncollectible", invoice)?.title == "The invoice was given up.")
    #expect(try note("invoice.paid", invoice) == nil, "the licenses tell it")
  }

  @Test("A trial that ends soon, a change that was dropped")
  func subscriptions() throws {
    let subscription = EventFixture.subscription([EventFixture.item("si_1")])
    #expect(try note("customer.subscription.trial_will_end", subscription)?.title == "The trial ends soon.")
    #expect(try note("customer.subscription.pending_update_expired", subscription)?.title.contains("dropped") == true)
    #expect(try note("customer.subscription.updated", subscription) == nil)
  }

  @Test("A warning of fraud, an inquiry, a credit note")
  func money() throws {
    let warning = try note(
      "radar.early_fraud_warning.created",
      [
        "id": "issfr_1", "object": "radar.early_fraud_warning", "charge": "ch_1", "actionable": true,
        "fraud_type": "made_with_stolen_card", "created": 1,
      ])
    #expect(warning?.title == "The card issuer warns that a payment may be fraud.")
    #expect(warning?.detail?.hasPrefix("ch_1 (made with stolen card).") == true)
    let inquiry: JSONValue = [
      "id": "du_1", "object": "dispute", "charge": "ch_1", "status": "warning_needs_response", "amount": 1,
      "created": 1,
    ]
    #expect(try note("charge.dispute.created", inquiry)?.title == "The buyer's bank inquires about a payment.")
    let credit: JSONValue = [
      "id": "cn_1", "object": "credit_note", "invoice": "in_1", "status": "issued", "amount": 1, "created": 1,
    ]
    #expect(
      try note("credit_note.created", credit)?.detail == "It returns no payment, so that licenses stay as they are.")
  }
}
