import Identity
import JSON
import LicenseKitAPI
import StripeAPI
import Testing

@testable import Purchases

@Suite("Payments of a form of the vendor's own")
struct BarePaymentTests {
  private func story(
    enabled: Bool = true, shape: Shape = .new, metadata: [String: JSONValue], customer: String? = nil,
    status: String = "succeeded", _ terms: (inout Terms) -> Void = { _ in }
  ) -> Story {
    var story = Story(Offer(a: Offer.terms("lk_a") { terms(&$0) }), shape: shape)
    story.sets(TenantSettings(barePayments: enabled))
    story.happens { stripe, _ in
      let payment = stripe.makePayment(amount: 4_900, isPaid: true)
      stripe.sets(
        payment,
        [
          "metadata": .object(JSONObject(metadata.map { ($0.key, $0.value) })), "status": .string(status),
          "receipt_email": "buyer@example.com", "customer": customer.map { .string($0) } ?? .null,
        ])
      stripe.others["price_a1"] = ["id": "price_a1", "object": "price", "product": "prod_a", "type": "one_time"]
      stripe.announce(payment: payment)
    }
    return story
  }

  @Test("A payment that names a price sells it", arguments: Shape.allCases)
  func price(shape: Shape) {
    let story = story(shape: shape, metadata: ["licensekit_stripe_price": "price_a1"])
    #expect(story.licenses == ["lk_a active"])
    #expect(story.decision?.root?.kind == "payment")
    #expect(story.decision?.customer?.email == "buyer@example.com")
    #expect(story.problems.isEmpty)
  }

  @Test("A payment that names a product and a quantity sells that many")
  func quantity() {
    let story = story(
      metadata: ["licensekit_stripe_product": "prod_a", "licensekit_quantity": "3"]) { $0.quantity = .perUnit }
    #expect(story.licenses == ["lk_a active", "lk_a active", "lk_a active"])
  }

  @Test("A quantity that is none needs a person", arguments: ["0", "-1", "two", "1.5"])
  func wrongQuantity(text: String) {
    let story = story(
      metadata: ["licensekit_stripe_product": "prod_a", "licensekit_quantity": .string(text)])
    #expect(story.licenses == [])
    #expect(story.status == .failed)
  }

  @Test("A payment that names nothing sells nothing, and no purchase is begun for it")
  func unnamed() {
    #expect(story(metadata: ["order": "17"]).service.purchases.isEmpty)
  }

  @Test("Without the setting no payment sells anything by itself")
  func disabled() {
    let story = story(enabled: false, metadata: ["licensekit_stripe_price": "price_a1"])
    #expect(story.licenses == [])
    #expect(story.service.purchases.isEmpty)
  }

  @Test("A refund of a payment that would be a sale under the setting says so")
  func disabledAndRefunded() {
    var story = story(enabled: false, metadata: ["licensekit_stripe_price": "price_a1"])
    story.happens { stripe, _ in
      let payment = stripe.payments.keys.first ?? ""
      stripe.payments[payment]?.refunded = 4_900
      stripe.emit(charge: payment, "refunded")
    }
    #expect(story.status == .ended)
    #expect(story.reason?.contains("bare_payments") == true)
  }

  @Test("A payment of a Checkout Session belongs to that, whatever it names", arguments: Shape.allCases)
  func ofSession(shape: Shape) {
    var story = Story(shape: shape)
    story.sets(TenantSettings(barePayments: true))
    story.holdsEvents = true
    story.buys(one())
    story.happens { stripe, root in
      let payment = stripe.payment(of: root)
      stripe.sets(payment, ["metadata": ["licensekit_stripe_price": "price_b1"]])
      stripe.announce(payment: payment)
    }
    story.deliver("payment_intent.succeeded")
    #expect(story.licenses == ["lk_a active"])
    story.deliver("checkout.session.completed")
    #expect(story.licenses == ["lk_a active"])
    #expect(story.service.purchases.count == 1)
  }

  @Test("A payment of an invoice belongs to that, whatever it names", arguments: Shape.allCases)
  func ofInvoice(shape: Shape) {
    var story = Story(shape: shape)
    story.sets(TenantSettings(barePayments: true))
    story.begins(.invoice([one()]))
    story.holdsEvents = true
    story.then(.pay)
    story.happens { stripe, root in
      let payment = stripe.payment(of: root)
      stripe.sets(payment, ["metadata": ["licensekit_stripe_price": "price_b1"]])
      stripe.announce(payment: payment)
    }
    story.deliver("payment_intent.succeeded")
    #expect(story.licenses == [], "the invoice is not known to be paid yet")
    #expect(story.decision?.root?.kind == "invoice")
    story.deliver("invoice.paid")
    #expect(story.licenses == ["lk_a active"])
  }

  @Test("A refund takes the license back")
  func refunded() {
    var story = story(metadata: ["licensekit_stripe_price": "price_a1"])
    story.happens { stripe, _ in
      let payment = stripe.payments.keys.first ?? ""
      stripe.payments[payment]?.refunded = 4_900
      stripe.emit(charge: payment, "refunded")
    }
    #expect(story.licenses == ["lk_a revoked"])
  }

  @Test("What was sold stays sold when the vendor turns the setting off")
  func turnedOff() {
    var story = story(metadata: ["licensekit_stripe_price": "price_a1"])
    story.sets(TenantSettings())
    story.happens { stripe, _ in stripe.emit(charge: stripe.payments.keys.first ?? "", "updated") }
    #expect(story.licenses == ["lk_a active"])
    #expect(story.status == .fulfilled)
  }

  @Test("A refund of a payment that was never heard of finds the sale, and issues nothing")
  func refundFirst() {
    var story = Story()
    story.sets(TenantSettings(barePayments: true))
    story.holdsEvents = true
    story.happens { stripe, _ in
      let payment = stripe.makePayment(amount: 4_900, isPaid: true)
      stripe.sets(payment, ["metadata": ["licensekit_stripe_product": "prod_a"]])
      stripe.announce(payment: payment)
      stripe.payments[payment]?.refunded = 4_900
      stripe.emit(charge: payment, "refunded")
    }
    story.deliver("charge.refunded", "payment_intent.succeeded")
    #expect(story.licenses == [])
    #expect(story.status == .ended)
  }

  @Test("A payment that fails or is canceled begins nothing")
  func failed() throws {
    let payment: JSONValue = [
      "id": "pi_1", "object": "payment_intent", "status": "canceled", "amount": 100,
      "metadata": ["licensekit_stripe_price": "price_a1"], "created": .integer(EventFixture.start),
    ]
    for type in ["payment_intent.canceled", "payment_intent.payment_failed"] {
      #expect(
        try EventFixture.effect(type, payment, settings: TenantSettings(barePayments: true))
          == .learn(.paymentIntent(try .init(payment)), .none))
    }
  }
}
