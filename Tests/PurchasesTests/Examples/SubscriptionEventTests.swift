import Foundation
import Identity
import JSON
import LicenseKitAPI
import StripeAPI
import Testing

@testable import Purchases

@Suite("Subscriptions, event by event")
struct SubscriptionEventTests {
  // MARK: In any order

  @Test("A change that is heard of before the beginning begins the purchase", arguments: Shape.allCases)
  func updatedBeforeCreated(shape: Shape) {
    var story = Story(shape: shape)
    story.holdsEvents = true
    story.subscribes(one(), opensIncomplete: true)
    story.then(.payFirst)
    story.deliver("customer.subscription.updated")
    #expect(story.licenses == ["lk_a active"])
    story.deliver("customer.subscription.created", "invoice.finalized")
    #expect(story.licenses == ["lk_a active"])
    #expect(story.service.purchases.count == 1)
  }

  @Test("A change that is delivered again after the end does not bring the license back", arguments: Shape.allCases)
  func oldUpdateAfterEnd(shape: Shape) {
    var story = Story(Offer(a: Offer.terms("lk_a") { $0.onCancel = .revoke }), shape: shape)
    story.subscribes(one())
    story.then(.setQuantity(item: 0, 2, invoiced: false), .cancelNow)
    #expect(story.licenses == ["lk_a revoked"])
    story.deliver("customer.subscription.updated", "customer.subscription.created", "invoice.paid")
    #expect(story.licenses == ["lk_a revoked"])
  }

  @Test("An end in the same second as a change stands, whichever is heard of last")
  func endInTheSameSecond() {
    for order in [
      ["customer.subscription.updated", "customer.subscription.deleted"],
      ["customer.subscription.deleted", "customer.subscription.updated"],
    ] {
      var story = Story { $0.onCancel = .revoke }
      story.subscribes(one())
      story.holdsEvents = true
      story.happens { stripe, root in
        stripe.emit(subscription: root, "updated")
        stripe.becomes("canceled", root, telling: "deleted")
      }
      story.deliver(order[0])
      story.deliver(order[1])
      #expect(story.licenses == ["lk_a revoked"])
    }
  }

  @Test("A subscription whose session is never heard of is issued from its invoice, for the buyer that names")
  func withoutSession() {
    var story = Story()
    story.begins(.subscription(trial: false, byCheckout: false, opensIncomplete: false, [one()]))
    #expect(story.licenses == ["lk_a active"])
    #expect(story.decision?.customer?.email == "buyer@example.com")
  }

  // MARK: What only tells

  @Test("The end of a trial that is announced changes nothing, and begins no purchase", arguments: Shape.allCases)
  func trialWillEnd(shape: Shape) throws {
    var story = Story(shape: shape)
    story.subscribes(one(), trial: true)
    story.hears("customer.subscription.trial_will_end")
    #expect(story.licenses == ["lk_a active"])
    let subscription = EventFixture.subscription([EventFixture.item("si_1")])
    #expect(
      try EventFixture.effect("customer.subscription.trial_will_end", subscription)
        == .learn(.subscription(try .init(subscription)), .ifKnown))
  }

  @Test("A change that waited for its payment counts when that came, and is dropped when it did not")
  func pendingUpdate() {
    var story = Story { $0.quantity = .perUnit }
    story.subscribes(one())
    story.happens { stripe, root in
      stripe.sets(root, ["pending_update": ["subscription_items": [["id": "si_1", "quantity": 2]]]])
      stripe.emit(subscription: root, "updated")
    }
    #expect(story.licenses == ["lk_a active"])
    story.hears("customer.subscription.pending_update_expired")
    #expect(story.licenses == ["lk_a active"])
    story.happens { stripe, root in
      stripe.subscriptions[root]?.items[0].quantity = 2
      stripe.emit(subscription: root, "pending_update_applied")
    }
    #expect(story.licenses == ["lk_a active", "lk_a active"])
  }

  @Test("What is scheduled has no effect before its phase begins")
  func schedules() throws {
    for word in ["created", "updated", "released", "canceled", "completed", "aborted", "expiring"] {
      let effect = try EventFixture.effect(
        "subscription_schedule.\(word)",
        ["id": "sub_sched_1", "object": "subscription_schedule", "subscription": "sub_1"])
      #expect(
        effect == .ignore("What is scheduled has no effect before its phase begins; the subscription says so then."))
    }
  }

  @Test("A scheduled change to a smaller plan counts when the subscription tells of it")
  func phaseBegins() {
    var story = Story { $0.quantity = .perUnit }
    story.subscribes(several(3))
    story.happens { stripe, root in
      stripe.sets(root, ["schedule": "sub_sched_1"])
      stripe.emit(subscription: root, "updated")
    }
    #expect(story.licenses == ["lk_a active", "lk_a active", "lk_a active"])
    story.then(.setQuantity(item: 0, 1, invoiced: false), .renew)
    #expect(story.licenses == ["lk_a active", "lk_a suspended", "lk_a suspended"])
  }

  // MARK: Ends that are announced

  @Test("A cancellation at a date keeps access until then and can be taken back", arguments: Shape.allCases)
  func cancelAt(shape: Shape) {
    var story = Story(shape: shape)
    story.subscribes(one())
    story.happens { stripe, root in
      stripe.sets(root, ["cancel_at": .integer(stripe.now + 20 * day)])
      stripe.emit(subscription: root, "updated")
    }
    #expect(story.licenses == ["lk_a active"])
    #expect(story.reason?.hasPrefix("The subscription ends on 20") == true)
    story.happens { stripe, root in
      stripe.sets(root, ["cancel_at": .null])
      stripe.emit(subscription: root, "updated")
    }
    #expect(story.reason == nil)
    story.then(.renew)
    #expect(story.licenses == ["lk_a active"])
  }

  @Test(
    "A cancellation at the period's end ends what is not renewed, however it was asked for", arguments: Shape.allCases)
  func cancelAtPeriodEnd(shape: Shape) {
    var story = Story(shape: shape)
    story.subscribes(one())
    story.then(.cancelAtPeriodEnd)
    story.passes(29)
    #expect(story.licenses == ["lk_a active"])
    story.then(.renew)
    #expect(story.licenses == ["lk_a suspended"])
    #expect(story.status == .ended)
  }

  @Test("Who subscribes again has a new purchase with a new license", arguments: Shape.allCases)
  func again(shape: Shape) {
    var story = Story(Offer(a: Offer.terms("lk_a") { $0.onCancel = .suspend }), shape: shape)
    story.subscribes(one())
    story.then(.cancelNow)
    #expect(story.licenses == ["lk_a suspended"])
    story.subscribes(one())
    #expect(story.licenses == ["lk_a suspended", "lk_a active"])
    #expect(story.service.purchases.count == 2)
  }

  // MARK: Trials

  @Test("A trial that turns into a paid period keeps its license", arguments: Shape.allCases)
  func trialToPaid(shape: Shape) {
    var story = Story(shape: shape)
    story.subscribes(one(), trial: true)
    #expect(story.daysLeft == 17)
    story.then(.renew)
    #expect(story.licenses == ["lk_a active"])
    #expect(story.daysLeft == 33)
  }

  @Test("A trial whose first payment fails ends with the grace", arguments: Shape.allCases)
  func trialFails(shape: Shape) {
    var story = Story(shape: shape)
    story.subscribes(one(), trial: true)
    story.then(.failRenewal)
    #expect(story.licenses == ["lk_a active"])
    story.passes(3)
    #expect(story.licenses == ["lk_a suspended"])
  }

  @Test("A bill for an item that the subscription does not have yet waits until Stripe has told of the item")
  func newItem() throws {
    var fixture = EventFixture()
    try fixture.hears("customer.subscription.created", EventFixture.subscription([EventFixture.item("si_1")]))
    try fixture.hears("invoice.paid", EventFixture.invoice([EventFixture.line("si_1")]))
    let change = EventFixture.start + day
    try fixture.hears(
      "invoice.paid", EventFixture.invoice([EventFixture.line("si_2", from: change)], id: "in_2", at: change),
      at: change)
    #expect(fixture.decides(daysLater: 1).questions == [.subscription("sub_1")])
    try fixture.hears(
      "customer.subscription.updated", EventFixture.subscription([EventFixture.item("si_2")]), at: change + 1)
    #expect(fixture.decides(daysLater: 1).questions == [])
  }

  @Test("A credit for what no known bill charges lets Stripe be asked for the bills")
  func creditWithoutCharge() throws {
    var fixture = EventFixture()
    try fixture.hears("customer.subscription.created", EventFixture.subscription([EventFixture.item("si_1")]))
    try fixture.hears("invoice.paid", EventFixture.invoice([EventFixture.line("si_1")]))
    let change = EventFixture.start + day
    let credit = EventFixture.line("si_0", amount: -900, from: change, isProration: true)
    try fixture.hears(
      "invoice.paid", EventFixture.invoice([credit, EventFixture.line("si_1", from: change)], id: "in_2", at: change),
      at: change + 1)
    #expect(fixture.decides(daysLater: 1).questions == [.invoices(of: "sub_1")])
  }

  // MARK: Items

  @Test("Items with intervals of their own last as long as each is paid for")
  func mixedIntervals() throws {
    var fixture = EventFixture()
    let items = [EventFixture.item("si_month"), EventFixture.item("si_year", days: 365)]
    try fixture.hears("customer.subscription.created", EventFixture.subscription(items))
    try fixture.hears(
      "invoice.paid",
      EventFixture.invoice([EventFixture.line("si_month"), EventFixture.line("si_year", days: 365)], total: 2_000))
    let ends = fixture.decides().lines.map { $0.units.first?.expiresAt?.timeIntervalSince1970 }
    #expect(ends == [30, 365].map { Double(EventFixture.start + ($0 + 3) * day) })

    // The renewal of the month fails: the year was paid for.
    var late = EventFixture.subscription(items, status: "past_due")
    if case .object(var object) = late {
      object["latest_invoice"] = "in_2"
      late = .object(object)
    }
    let turn = EventFixture.start + 30 * day
    try fixture.hears(
      "invoice.payment_failed",
      EventFixture.invoice(
        [EventFixture.line("si_month", from: turn)], id: "in_2", status: "open", reason: "subscription_cycle", at: turn),
      at: turn)
    try fixture.hears("customer.subscription.updated", late, at: turn)
    // Before access is refused, Stripe is asked for bills that were never told of.
    #expect(fixture.decides(daysLater: 34).questions == [.invoices(of: "sub_1")])
    fixture.knowledge.learnAnswer(
      .invoices(of: "sub_1", []), answeredAt: Date(timeIntervalSince1970: TimeInterval(EventFixture.start + 34 * day)))
    #expect(fixture.decides(daysLater: 34).lines.map(\.causes) == [[.pastDue], []])
  }

  @Test("Items that bill usage sell no license, and a quantity that is not told is one")
  func metered() throws {
    var fixture = EventFixture { $0.quantity = .perUnit }
    try fixture.hears(
      "customer.subscription.created",
      EventFixture.subscription([
        EventFixture.item("si_1", quantity: nil), EventFixture.item("si_2", quantity: nil, usage: "metered"),
      ]))
    try fixture.hears("invoice.paid", EventFixture.invoice([EventFixture.line("si_1")]))
    #expect(fixture.decides().lines.map(\.key.line) == ["si_1"])
    #expect(fixture.decides().lines.map(\.units.count) == [1])
  }

  @Test("Packs change what is billed, not how many are licensed")
  func packs() throws {
    var fixture = EventFixture { $0.quantity = .perUnit }
    try fixture.hears(
      "customer.subscription.created",
      EventFixture.subscription([
        EventFixture.item("si_1", quantity: 7, more: ["transform_quantity": ["divide_by": 5, "round": "up"]])
      ])
    )
    try fixture.hears("invoice.paid", EventFixture.invoice([EventFixture.line("si_1")]))
    #expect(fixture.decides().lines.map(\.units.count) == [7])
  }

  @Test("A subscription with more items than it shows is asked for before it counts")
  func moreItems() throws {
    var fixture = EventFixture()
    try fixture.hears(
      "customer.subscription.created", EventFixture.subscription([EventFixture.item("si_1")], hasMore: true))
    try fixture.hears("invoice.paid", EventFixture.invoice([EventFixture.line("si_1"), EventFixture.line("si_2")]))
    #expect(fixture.decides().questions == [.subscription("sub_1")])
    #expect(fixture.decides().lines.isEmpty)
  }

  @Test("Seats go up and down with the quantity on one license", arguments: Shape.allCases)
  func seats(shape: Shape) {
    var story = Story(Offer(a: Offer.terms("lk_a") { $0.quantity = .seats }), shape: shape)
    story.subscribes(several(5))
    #expect(story.features["seats"] == 5)
    story.then(.setQuantity(item: 0, 8, invoiced: true))
    #expect(story.features["seats"] == 8)
    story.then(.setQuantity(item: 0, 2, invoiced: true))
    #expect(story.features["seats"] == 2)
    #expect(story.licenses == ["lk_a active"])
  }

  @Test("A renewal lasts to the end of its period, not to a month after the former expiry", arguments: Shape.allCases)
  func renewalEnds(shape: Shape) {
    var story = Story(shape: shape)
    story.subscribes(one())
    for _ in 0..<3 { story.then(.renew) }
    let end = story.stripe.subscriptions.values.first.map { Double($0.periodEnd + 3 * day) }
    #expect(story.service.kit.licenses.values.first?.expiresAt?.timeIntervalSince1970 == end)
  }
}
