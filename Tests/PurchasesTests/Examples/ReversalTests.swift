import Identity
import JSON
import LicenseKitAPI
import StripeAPI
import Testing

@testable import Purchases

@Suite("Money that moves back")
struct ReversalTests {
  @Test(
    "A full refund does to the license what the vendor chose",
    arguments: [(Terms.OnFullRefund.revoke, "revoked"), (.suspend, "suspended"), (.keep, "active")])
  func fullRefund(choice: Terms.OnFullRefund, end: String) {
    for shape in Shape.allCases {
      var story = Story(Offer(a: Offer.terms("lk_a") { $0.onFullRefund = choice }), shape: shape)
      story.buys(one())
      story.then(.refund(payment: 0, part: false, pending: false))
      #expect(story.licenses == ["lk_a \(end)"])
    }
  }

  @Test("A partial refund changes nothing; several that add up to everything are a full one")
  func partialRefunds() {
    var story = Story()
    story.buys(several(2))
    story.then(.refund(payment: 0, part: true, pending: false))
    #expect(story.licenses == ["lk_a active"])
    story.then(.refund(payment: 0, part: false, pending: false))
    #expect(story.licenses == ["lk_a revoked"])
  }

  @Test("A refund that fails later gives a revoked license back as a new one, and a suspended one as it was")
  func refundFails() {
    var revoked = Story()
    revoked.buys(one())
    revoked.then(.refund(payment: 0, part: false, pending: false), .refundFails)
    #expect(revoked.licenses == ["lk_a revoked", "lk_a active"])

    var suspended = Story { $0.onFullRefund = .suspend }
    suspended.buys(one())
    suspended.then(.refund(payment: 0, part: false, pending: false), .refundFails)
    #expect(suspended.licenses == ["lk_a active"])
  }

  @Test("A refund that is known before the sale lets nothing be issued", arguments: Shape.allCases)
  func refundBeforeSale(shape: Shape) {
    var story = Story(shape: shape)
    story.holdsEvents = true
    story.buys(one(), guest: true)
    story.then(.refund(payment: 0, part: false, pending: false))
    story.deliver("charge.refunded", "checkout.session.completed", "refund.created")
    #expect(story.licenses == [])
    #expect(story.status == .ended)
  }

  @Test("A refund of an invoice by hand is found through its payment", arguments: Shape.allCases)
  func refundOfInvoice(shape: Shape) {
    var story = Story(shape: shape, tellsInvoicePayments: false)
    story.begins(.invoice([one()]))
    story.then(.pay, .refund(payment: 0, part: false, pending: false))
    #expect(story.licenses == ["lk_a revoked"])
  }

  @Test("An open dispute suspends, a won one reinstates, a lost one ends for good")
  func disputes() {
    var won = Story()
    won.buys(one())
    won.then(.dispute(payment: 0, inquiry: false))
    #expect(won.licenses == ["lk_a suspended"])
    won.then(.disputeWon)
    #expect(won.licenses == ["lk_a active"])

    var lost = Story()
    lost.buys(one())
    lost.then(.dispute(payment: 0, inquiry: false), .disputeLost)
    #expect(lost.licenses == ["lk_a revoked"])
  }

  @Test("An inquiry moves no money and changes nothing until it becomes a dispute")
  func inquiry() {
    var story = Story()
    story.buys(one())
    story.then(.dispute(payment: 0, inquiry: true))
    #expect(story.licenses == ["lk_a active"])
    story.then(.disputeEscalates)
    #expect(story.licenses == ["lk_a suspended"])
  }

  @Test("The end of a dispute that is heard of before its beginning stands")
  func disputeBackwards() {
    var story = Story()
    story.buys(one())
    story.holdsEvents = true
    story.then(.dispute(payment: 0, inquiry: false), .disputeLost)
    story.deliver("charge.dispute.closed", "charge.dispute.created")
    #expect(story.licenses == ["lk_a revoked"])
  }

  @Test(
    "What was returned of one line of an invoice by hand is that line's alone",
    arguments: [("succeeded", "lk_a revoked"), ("pending", "lk_a suspended")])
  func lineOfInvoice(status: String, end: String) {
    var story = Story()
    story.begins(.invoice([one(), one("price_b1")]))
    story.then(.pay)
    story.happens { stripe, root in
      let line = stripe.invoices[root]?.lines.first { $0.price == "price_a1" }
      stripe.returns(1_000, of: stripe.payment(of: root), for: line?.id ?? "", status: status)
    }
    #expect(story.licenses.sorted() == [end, "lk_b active"].sorted())
  }

  @Test("A period for nothing does not bring back what a lost dispute has ended")
  func freePeriodAfterDispute() {
    var story = Story()
    story.subscribes(one())
    story.then(.dispute(payment: 0, inquiry: false), .disputeLost)
    story.happens { stripe, root in
      stripe.turnsUnpaid(root, status: "active", dueDays: 0)
      let invoice = stripe.subscriptions[root]?.latestInvoice ?? ""
      stripe.invoices[invoice]?.lines[0].amount = 0
      stripe.settle(invoice)
    }
    #expect(story.licenses == ["lk_a revoked"])
  }

  @Test("A dispute that is told without its id and later with it is one dispute", arguments: [true, false])
  func disputeWithoutID(inOrder: Bool) {
    var story = Story()
    story.buys(one())
    story.holdsEvents = true
    let sold = story.stripe.events.count
    story.happens { stripe, root in
      let payment = stripe.payment(of: root)
      stripe.disputes["du_1"] = ModelDispute(
        id: "du_1", payment: payment, status: "needs_response", created: stripe.now)
      stripe.emitWithoutID(dispute: "du_1", "created")
    }
    story.happens { stripe, _ in
      stripe.disputes["du_1"]?.status = "won"
      stripe.emit(dispute: "du_1", "closed")
    }
    story.deliverAll(inOrder ? [sold, sold + 1] : [sold + 1, sold])
    #expect(story.licenses == ["lk_a active"])
    story.happens { stripe, _ in
      stripe.disputes["du_1"]?.status = "lost"
      stripe.emitWithoutID(dispute: "du_1", "closed")
    }
    story.deliverAll([sold + 2])
    #expect(story.licenses == ["lk_a revoked"])
  }

  @Test("A dispute that was won does not bring back what was refunded meanwhile")
  func disputeAndRefund() {
    var story = Story()
    story.buys(one())
    story.then(.dispute(payment: 0, inquiry: false), .refund(payment: 0, part: false, pending: false), .disputeWon)
    #expect(story.licenses == ["lk_a revoked"])
  }

  @Test("A refunded renewal suspends until the next period is paid", arguments: Shape.allCases, [true, false])
  func refundedRenewal(shape: Shape, tellsInvoicePayments: Bool) {
    var story = Story(shape: shape, tellsInvoicePayments: tellsInvoicePayments)
    story.subscribes(one())
    story.then(.renew, .refund(payment: 0, part: false, pending: false))
    #expect(story.licenses == ["lk_a suspended"])
    story.then(.renew)
    #expect(story.licenses == ["lk_a active"])
  }

  @Test("A refund of a former period changes nothing while a later one is paid")
  func refundedFormerPeriod() {
    var story = Story()
    story.subscribes(one())
    story.then(.renew, .refund(payment: 1, part: false, pending: false))
    #expect(story.licenses == ["lk_a active"])
  }

  @Test("A dispute about any payment of a subscription suspends it")
  func disputedFormerPeriod() {
    var story = Story()
    story.subscribes(one())
    story.then(.renew, .dispute(payment: 1, inquiry: false))
    #expect(story.licenses == ["lk_a suspended"])
    story.then(.disputeWon)
    #expect(story.licenses == ["lk_a active"])
  }

  // MARK: Amounts

  @Test(
    "Partial refunds change nothing until everything is returned, in whatever order they are heard of",
    arguments: Shape.allCases)
  func partialRefundsBackwards(shape: Shape) {
    var story = Story(shape: shape)
    story.buys(several(4))
    story.holdsEvents = true
    story.then(
      .refund(payment: 0, part: true, pending: false), .refund(payment: 0, part: true, pending: false),
      .refund(payment: 0, part: false, pending: false))
    story.deliver("refund.created")
    #expect(story.licenses == ["lk_a revoked"])
    story.deliver("charge.refunded")
    #expect(story.licenses == ["lk_a revoked"])
  }

  @Test("A partial refund that is told over and over is never added up")
  func partialRefundRepeated() {
    var story = Story()
    story.buys(several(2))
    story.then(.refund(payment: 0, part: true, pending: false))
    for _ in 0..<3 { story.deliver("charge.refunded", "refund.created") }
    #expect(story.licenses == ["lk_a active"])
  }

  @Test("A refund that is under way suspends; done it revokes, failed it gives back", arguments: Shape.allCases)
  func pendingRefund(shape: Shape) {
    var done = Story(shape: shape)
    done.buys(one())
    done.then(.refund(payment: 0, part: false, pending: true))
    #expect(done.causes == [["refund_pending"]])
    done.then(.refundSucceeds)
    #expect(done.causes == [["refunded"]])

    var failed = Story(Offer(a: Offer.terms("lk_a") { $0.onFullRefund = .suspend }), shape: shape)
    failed.buys(one())
    failed.then(.refund(payment: 0, part: false, pending: true))
    #expect(failed.licenses == ["lk_a suspended"])
    failed.then(.refundFails)
    #expect(failed.licenses == ["lk_a active"])
  }

  @Test("A payment whose first attempt failed is refunded when the charge that succeeded is", arguments: Shape.allCases)
  func severalCharges(shape: Shape) {
    var story = Story(shape: shape)
    story.buys(one())
    story.happens { stripe, root in
      stripe.emit(
        "charge.updated",
        [
          "id": "ch_failed", "object": "charge", "amount": 1_000, "amount_captured": 0, "amount_refunded": 0,
          "refunded": false, "paid": false, "payment_intent": .string(stripe.payment(of: root)),
          "created": .integer(stripe.now),
        ])
    }
    #expect(story.licenses == ["lk_a active"])
    story.then(.refund(payment: 0, part: false, pending: false))
    #expect(story.licenses == ["lk_a revoked"])
  }

  @Test("An invoice that several payments paid is returned when every part is", arguments: Shape.allCases)
  func partialPayments(shape: Shape) {
    var story = Story(shape: shape)
    story.begins(.invoice([several(2)]))
    story.happens { stripe, root in
      let first = stripe.pays(1_000, of: root)
      stripe.invoices[root]?.payment = first
      _ = stripe.pays(1_000, of: root)
      stripe.invoices[root]?.status = "paid"
      stripe.emit(invoice: root, "paid")
    }
    #expect(story.licenses == ["lk_a active"])
    story.then(.refund(payment: 0, part: false, pending: false))
    #expect(story.licenses == ["lk_a active"])
    story.then(.refund(payment: 1, part: false, pending: false))
    #expect(story.licenses == ["lk_a revoked"])
  }

  @Test("An invoice that was paid in part outside Stripe is not returned by a refund of the rest")
  func partlyOutOfBand() {
    var story = Story()
    story.begins(.invoice([several(2)]))
    story.happens { stripe, root in
      let card = stripe.pays(500, of: root)
      stripe.invoices[root]?.payment = card
      stripe.invoices[root]?.status = "paid"
      stripe.emit(invoice: root, "paid")
    }
    story.then(.refund(payment: 0, part: false, pending: false))
    #expect(story.licenses == ["lk_a active"])
  }

  // MARK: Credit notes

  @Test("A credit note without refund changes nothing", arguments: Shape.allCases)
  func creditNote(shape: Shape) {
    var story = Story(shape: shape)
    story.begins(.invoice([one()]))
    story.then(.pay)
    story.happens { stripe, root in stripe.credits(root, amount: 1_000) }
    #expect(story.licenses == ["lk_a active"])
  }

  @Test("A credit note leads to its refund, also when no event told of that", arguments: Shape.allCases)
  func creditNoteWithRefund(shape: Shape) {
    var story = Story(shape: shape)
    story.begins(.invoice([one()]))
    story.then(.pay)
    story.holdsEvents = true
    story.then(.refund(payment: 0, part: false, pending: false))
    story.happens { stripe, root in
      stripe.credits(root, amount: 1_000, refunds: stripe.refunds.keys.sorted())
    }
    story.deliver("credit_note.created")
    #expect(story.licenses == ["lk_a revoked"])
  }

  // MARK: Renewals

  @Test("A refund of the first period revokes; of a renewal it suspends until the next payment")
  func firstAndLater() {
    var first = Story()
    first.subscribes(one())
    first.then(.refund(payment: 0, part: false, pending: false))
    #expect(first.licenses == ["lk_a revoked"])

    var later = Story()
    later.subscribes(one())
    later.then(.renew, .refund(payment: 0, part: false, pending: false))
    #expect(later.licenses == ["lk_a suspended"])
    #expect(later.causes == [["refunded"]])
  }

  @Test(
    "A refund of what a change in the middle of a period cost returns nothing of the period", arguments: Shape.allCases)
  func refundedProration(shape: Shape) {
    var story = Story(shape: shape)
    story.subscribes(one())
    story.then(.setQuantity(item: 0, 2, invoiced: true), .refund(payment: 0, part: false, pending: false))
    #expect(story.licenses == ["lk_a active"])
  }

  @Test("A refunded renewal is not taken for the beginning where nothing earlier is known")
  func unknownBeginning() {
    var story = Story { $0.licenseType = .perpetual }
    story.subscribes(one())
    story.holdsEvents = true
    story.then(.renew)
    // The service is installed now, and hears nothing of what was before.
    var installed = story
    installed.forgets()
    installed.holdsEvents = false
    installed.hears("invoice.paid", of: installed.newestInvoice)
    #expect(installed.licenses == ["lk_a active"])
    installed.then(.refund(payment: 0, part: false, pending: false))
    #expect(installed.licenses == ["lk_a suspended"])
  }

  @Test("A dispute about a former period that is lost ends what was not paid since")
  func lostDisputeOfFormerPeriod() {
    var story = Story()
    story.subscribes(one())
    story.then(.renew, .dispute(payment: 1, inquiry: false))
    #expect(story.licenses == ["lk_a suspended"])
    story.then(.disputeLost)
    #expect(story.licenses == ["lk_a revoked"])

    var paidSince = Story()
    paidSince.subscribes(one())
    paidSince.then(.dispute(payment: 0, inquiry: false), .renew, .disputeLost)
    #expect(paidSince.licenses == ["lk_a active"])
  }

  @Test("An inquiry that is closed without a dispute has changed nothing", arguments: Shape.allCases)
  func closedInquiry(shape: Shape) {
    var story = Story(shape: shape)
    story.buys(one())
    story.then(.dispute(payment: 0, inquiry: true), .disputeWon)
    #expect(story.licenses == ["lk_a active"])
  }

  @Test("Money that is withdrawn and put back says no more than the dispute itself")
  func funds() throws {
    for type in ["charge.dispute.funds_withdrawn", "charge.dispute.funds_reinstated", "charge.dispute.updated"] {
      let dispute: JSONValue = [
        "id": "du_1", "object": "dispute", "charge": "ch_1", "payment_intent": "pi_1", "status": "prevented",
        "amount": 1_000, "created": .integer(EventFixture.start),
      ]
      let effect = try EventFixture.effect(type, dispute)
      #expect(effect == .learn(.dispute(try Stripe.Dispute(dispute)), .always))
      #expect(try Stripe.Dispute(dispute).stage == .inquiry, "a prevented one moves no money")
    }
  }

  @Test("A dispute of a sale that is not known yet is found through its payment", arguments: Shape.allCases)
  func disputeBeforeSale(shape: Shape) {
    var story = Story(shape: shape)
    story.holdsEvents = true
    story.buys(one(), guest: true)
    story.then(.dispute(payment: 0, inquiry: false))
    story.deliver("charge.dispute.created")
    #expect(story.status == .suspended)
    #expect(story.licenses == [])
    story.then(.disputeWon)
    story.deliver("charge.dispute.closed", "checkout.session.completed")
    #expect(story.licenses == ["lk_a active"])
  }
}
