import Foundation
import Identity
import JSON
import LicenseKitAPI
import StripeAPI
import Testing

@testable import Purchases

@Suite("Checkout, event by event")
struct CheckoutEventTests {
  // MARK: Delayed payment methods

  @Test("A delayed payment that fails ends the purchase, and says so", arguments: Shape.allCases)
  func delayedFails(shape: Shape) {
    var story = Story(shape: shape)
    story.buys(one(), delayed: true)
    story.then(.moneyFails)
    #expect(story.licenses == [])
    #expect(story.status == .ended)
    #expect(story.reason == "The delayed payment has failed; nothing was sold.")
  }

  @Test("A failed delayed payment that is heard of before its Checkout ends the purchase as well")
  func delayedFailsBackwards() {
    var story = Story()
    story.holdsEvents = true
    story.buys(one(), delayed: true)
    story.then(.moneyFails)
    story.deliver("checkout.session.async_payment_failed")
    #expect(story.status == .ended)
    story.deliver("checkout.session.completed")
    #expect(story.status == .ended)
    #expect(story.service.purchases.count == 1)
  }

  @Test("A delayed payment that arrives after all, on the same session, heals what had failed")
  func delayedHeals() {
    var story = Story()
    story.buys(one(), delayed: true)
    story.then(.moneyFails, .moneyArrives)
    #expect(story.licenses == ["lk_a active"])
    #expect(story.status == .fulfilled)
  }

  @Test("The failure of an earlier attempt that is heard of last does not end what is paid")
  func delayedFailureComesLate() {
    var story = Story()
    story.holdsEvents = true
    story.buys(one(), delayed: true)
    story.then(.moneyFails, .moneyArrives)
    story.deliver("checkout.session.async_payment_succeeded", "checkout.session.async_payment_failed")
    #expect(story.licenses == ["lk_a active"])
  }

  @Test("The money that is heard of before the Checkout is complete gives the license once", arguments: Shape.allCases)
  func moneyBeforeCheckout(shape: Shape) {
    var story = Story(shape: shape)
    story.holdsEvents = true
    story.buys(one(), delayed: true)
    story.then(.moneyArrives)
    story.deliver("checkout.session.async_payment_succeeded")
    #expect(story.licenses == ["lk_a active"])
    story.deliver("checkout.session.completed", "payment_intent.succeeded")
    #expect(story.licenses == ["lk_a active"])
  }

  // MARK: Sessions that sell nothing

  @Test("A session that expires sells nothing and closes its purchase")
  func expires() {
    var story = Story()
    story.holdsEvents = true
    story.buys(one(), delayed: true)
    story.holdsEvents = false
    story.happens { stripe, root in
      stripe.sessions[root]?.status = "expired"
      stripe.emit(session: root, "expired")
    }
    #expect(story.licenses == [])
    #expect(story.status == .ended)
    #expect(story.reason == "The Checkout Session expired before it was paid.")
  }

  @Test("A session in setup mode is ignored")
  func setup() throws {
    let session: JSONValue = [
      "id": "cs_1", "object": "checkout.session", "mode": "setup", "status": "complete",
      "payment_status": "no_payment_required", "created": .integer(EventFixture.start),
    ]
    #expect(
      try EventFixture.effect("checkout.session.completed", session)
        == .ignore("A Checkout Session that sells nothing."))
  }

  @Test("A session without anything to pay is fulfilled")
  func free() throws {
    var fixture = EventFixture()
    try fixture.hears(
      "checkout.session.completed",
      [
        "id": "cs_1", "object": "checkout.session", "mode": "payment", "status": "complete",
        "payment_status": "no_payment_required", "created": .integer(EventFixture.start),
      ])
    #expect(fixture.decides().questions == [.lineItems(of: "cs_1")])
    fixture.knowledge.learnAnswer(
      .lineItems(
        of: "cs_1",
        [
          try Stripe.LineItem([
            "id": "li_1", "object": "item", "quantity": nil,
            "price": ["id": "price_1", "object": "price", "product": "prod_a", "type": "one_time"],
          ])
        ]), answeredAt: fixture.knowledge.newest ?? .distantPast)
    #expect(fixture.decides().status == .fulfilled)
    #expect(fixture.decides().lines.first?.quantity == 1, "no quantity counts as one")
  }

  // MARK: One purchase, many events

  @Test("A session that starts a subscription only leads to it", arguments: Shape.allCases)
  func subscription(shape: Shape) {
    var story = Story(shape: shape)
    story.holdsEvents = true
    story.subscribes(one())
    story.deliver("checkout.session.completed")
    #expect(story.licenses == ["lk_a active"])
    #expect(story.decision?.root?.kind == "subscription")
    #expect(story.decision?.customer?.email == "buyer@example.com")
    story.deliver(
      "customer.subscription.created", "payment_intent.succeeded", "charge.succeeded", "invoice.paid",
      "invoice_payment.paid", "checkout.session.completed")
    #expect(story.licenses == ["lk_a active"])
    #expect(story.service.purchases.count == 1)
  }

  @Test("A purchase by card is sold once over all events that announce it", arguments: Shape.allCases, [true, false])
  func card(shape: Shape, guest: Bool) {
    var story = Story(shape: shape)
    story.holdsEvents = true
    story.buys(several(2), guest: guest)
    story.deliver(
      "payment_intent.succeeded", "charge.succeeded", "checkout.session.completed", "charge.succeeded",
      "checkout.session.completed", "payment_intent.succeeded")
    #expect(story.licenses == ["lk_a active"])
    #expect(story.service.purchases.count == 1)
    #expect(story.problems.isEmpty)
  }
}
