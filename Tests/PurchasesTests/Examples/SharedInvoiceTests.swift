import Testing

@testable import Purchases

/// Two subscriptions that Stripe bills together: one invoice, one payment, and a purchase each.
@Suite("Several subscriptions on one invoice")
struct SharedInvoiceTests {
  private static func story(
    _ shape: Shape, cutsLists: Bool = false, tellsInvoicePayments: Bool = true,
    _ terms: (inout Terms) -> Void = { _ in }
  ) -> Story {
    let offer = Offer(a: Offer.terms("lk_a", terms), b: Offer.terms("lk_b", terms))
    return Story(offer, shape: shape, cutsLists: cutsLists, tellsInvoicePayments: tellsInvoicePayments)
  }

  private static let together = Beginning.subscription(
    SubscriptionStart(beside: [Wish(price: "price_b1", quantity: 1)]), [Wish(price: "price_a1", quantity: 1)])

  @Test("Each is a purchase of its own", arguments: Shape.allCases, [true, false])
  func apart(shape: Shape, tellsInvoicePayments: Bool) {
    var story = Self.story(shape, tellsInvoicePayments: tellsInvoicePayments)
    story.begins(Self.together)
    #expect(story.licenses.sorted() == ["lk_a active", "lk_b active"])
    story.then(.cancelNow)
    story.passes(40)
    #expect(story.licenses.filter { $0.hasPrefix("lk_a") } != ["lk_a active"])
    #expect(story.sold == ["lk_a", "lk_b"])
    #expect(story.problems == [])
  }

  @Test("A full refund of the payment reaches all of them", arguments: Shape.allCases, [true, false])
  func refund(shape: Shape, tellsInvoicePayments: Bool) {
    var story = Self.story(shape, tellsInvoicePayments: tellsInvoicePayments)
    story.begins(Self.together)
    story.then(.refund(payment: 0, part: true, pending: false))
    #expect(story.licenses.sorted() == ["lk_a active", "lk_b active"])
    story.then(.refund(payment: 0, part: false, pending: false))
    #expect(story.licenses.sorted() == ["lk_a revoked", "lk_b revoked"])
    #expect(story.sold == ["lk_a", "lk_b"])
    #expect(story.problems == [])
  }

  @Test("The payment's own purchase says whose it is")
  func reason() {
    var story = Self.story(.new)
    story.begins(Self.together)
    story.then(.refund(payment: 0, part: false, pending: false))
    let reasons = story.service.purchases.values.compactMap { $0.decision?.reason }
    #expect(reasons.contains { $0.hasPrefix("What invoice in_") && $0.contains("a purchase of its own: sub_") })
  }

  @Test("A refund that is under way suspends all of them, and one that fails gives all of them back")
  func pendingRefund() {
    var story = Self.story(.new) { $0.onFullRefund = .suspend }
    story.begins(Self.together)
    story.then(.refund(payment: 0, part: false, pending: true))
    #expect(story.licenses.sorted() == ["lk_a suspended", "lk_b suspended"])
    story.then(.refundFails)
    #expect(story.licenses.sorted() == ["lk_a active", "lk_b active"])
  }

  @Test("A dispute withholds all of them, and ends all of them when it is lost", arguments: Shape.allCases)
  func dispute(shape: Shape) {
    var won = Self.story(shape)
    won.begins(Self.together)
    won.then(.dispute(payment: 0, inquiry: false))
    #expect(won.licenses.sorted() == ["lk_a suspended", "lk_b suspended"])
    won.then(.disputeWon)
    #expect(won.licenses.sorted() == ["lk_a active", "lk_b active"])

    var lost = Self.story(shape)
    lost.begins(Self.together)
    lost.then(.dispute(payment: 0, inquiry: false), .disputeLost)
    #expect(lost.licenses.sorted() == ["lk_a revoked", "lk_b revoked"])
  }

  @Test("Money that went back outside Stripe reaches all of them", arguments: Shape.allCases)
  func outside(shape: Shape) {
    var story = Self.story(shape)
    story.begins(Self.together)
    story.then(.creditOutside(part: false))
    #expect(story.licenses.sorted() == ["lk_a revoked", "lk_b revoked"])
  }

  @Test("What was returned of the lines of one is hers alone")
  func creditNoteOfLines() {
    var story = Self.story(.new)
    story.begins(Self.together)
    story.happens { stripe, root in
      let lines = stripe.invoices.values.flatMap(\.lines).filter { $0.price == "price_b1" }
      let payment = stripe.payment(of: root)
      stripe.returns(4_000, of: payment, for: lines[0].id)
    }
    #expect(story.licenses.sorted() == ["lk_a active", "lk_b revoked"])
  }

  @Test("A refund of a renewal that was billed together suspends all of them", arguments: Shape.allCases)
  func renewal(shape: Shape) {
    var story = Self.story(shape)
    story.begins(Self.together)
    story.then(.renewTogether, .refund(payment: 0, part: false, pending: false))
    story.passes(2)
    #expect(story.licenses.sorted() == ["lk_a suspended", "lk_b suspended"])
    story.then(.renewTogether)
    #expect(story.licenses.sorted() == ["lk_a active", "lk_b active"])
  }

  @Test("A refund that is heard of first reaches all of them when they are known", arguments: Shape.allCases)
  func backwards(shape: Shape) {
    var story = Self.story(shape)
    story.holdsEvents = true
    story.begins(Self.together)
    story.then(.refund(payment: 0, part: false, pending: false))
    story.deliverAll(Array(story.stripe.events.indices.reversed()))
    #expect(!story.licenses.contains { $0.hasSuffix("active") })
    #expect(story.problems == [])
  }

  @Test(
    "A dispute reaches all of them although its payment was heard of when nothing led to it",
    arguments: Shape.allCases, [true, false])
  func heardOfBefore(shape: Shape, tellsInvoicePayments: Bool) {
    var story = Self.story(shape, tellsInvoicePayments: tellsInvoicePayments)
    story.holdsEvents = true
    story.begins(Self.together)
    story.then(.renewTogether, .dispute(payment: 1, inquiry: false))
    story.deliverAll(Array(story.stripe.events.indices))
    #expect(story.licenses.sorted() == ["lk_a suspended", "lk_b suspended"])
    #expect(story.problems == [])
  }

  @Test("What Stripe answers of the invoice of one is news for the others")
  func answered() {
    var story = Self.story(.new, cutsLists: true, tellsInvoicePayments: false)
    story.begins(Self.together)
    story.passes(31)
    var invoice = ""
    story.happens { stripe, root in
      let all = [root] + stripe.subscriptions.keys.filter { $0 != root }
      for id in all {
        stripe.subscriptions[id]?.periodStart += month
        stripe.subscriptions[id]?.periodEnd += month
      }
      invoice = stripe.bill(root, reason: "subscription_cycle")
      stripe.bill(all[1], with: invoice)
      for id in all { stripe.emit(subscription: id, "updated") }
    }
    // The event shows the lines of the first alone.
    story.happens { stripe, _ in stripe.settle(invoice) }
    let ends = story.service.licenses.values.compactMap(\.expiresAt)
    #expect(ends.count == 2 && Set(ends).count == 1, "\(ends)")
    #expect(story.problems == [])
  }

  @Test("Who comes later and asks Stripe for the history finds the refund", arguments: Shape.allCases)
  func installedLater(shape: Shape) {
    var story = Self.story(shape)
    story.begins(Self.together)
    story.forgets()
    story.then(.refund(payment: 0, part: false, pending: false))
    story.then(.cancelNow)
    #expect(!story.licenses.contains { $0.hasSuffix("active") })
    #expect(story.problems == [])
  }
}
