import Foundation
import Identity
import JSON
import StripeAPI
import Testing

@testable import Purchases

@Suite("The model tells what Stripe tells")
struct ModelTests {
  private let basic = Wish(price: "price_a1", quantity: 1)

  // MARK: Changes that are billed

  @Test("An upgrade at once is a credit for the unused time and a charge for the rest", arguments: Shape.allCases)
  func upgrade(shape: Shape) throws {
    let former = Play.subscription(Wish(price: "price_a1", quantity: 3), shape: shape)
    let play = former.after(.setPrice(item: 0, "price_b1", billing: .atOnce), days: 15)
    let invoice = try Stripe.Invoice(try #require(play.told("invoice.paid").last))
    #expect(invoice.billingReason == "subscription_update")
    #expect(invoice.subscription?.rawValue == play.root)
    #expect(invoice.lines.map(\.isProration) == [true, true])
    #expect(invoice.lines.map(\.price?.rawValue) == ["price_a1", "price_b1"])
    #expect(invoice.lines.map(\.quantity) == [3, 3])
    #expect(invoice.lines.map(\.amount) == [-1_500, 6_000])
    #expect(
      Set(invoice.lines.map(\.periodEnd)) == [Date(timeIntervalSince1970: TimeInterval(play.subscription.periodEnd))])
    #expect(play.types(since: former).last == "customer.subscription.updated")
  }

  @Test("Newer versions name the item of a proration in flexible billing only, and what it credits")
  func parents() throws {
    let change = Change.setPrice(item: 0, "price_b1", billing: .atOnce)
    let flexible = Play.subscription(basic).after(change, days: 10)
    let classic = Play.subscription(basic, flexible: false).after(change, days: 10)
    let old = Play.subscription(basic, shape: .old).after(change, days: 10)
    func line(_ play: Play) throws -> JSONValue {
      try #require(play.told("invoice.paid").last?.at("lines", "data")?.array?.first)
    }
    let item = flexible.subscription.items[0].id
    #expect(try line(flexible).at("parent", "type") == "subscription_item_details")
    #expect(try line(flexible).at("parent", "subscription_item_details", "subscription_item") == .string(item))
    let credited = try line(flexible).at("parent", "subscription_item_details", "proration_details", "credited_items")
    #expect(credited?["invoice"] == .string(flexible.invoices[0].id))
    #expect(try line(classic).at("parent", "type") == "invoice_item_details")
    #expect(try line(classic).at("parent", "invoice_item_details", "proration") == true)
    #expect(try line(old)["type"] == "invoiceitem")
    #expect(try line(old)["subscription_item"] == .string(old.subscription.items[0].id))
  }

  @Test("A card that refuses a change leaves the item changed, the invoice open, the subscription past due")
  func failing() throws {
    let play = Play.subscription(basic).after(.setPrice(item: 0, "price_b1", billing: .atOnceFails), days: 10)
    #expect(play.subscription.status == "past_due")
    #expect(play.subscription.items[0].price == "price_b1")
    let told = try #require(play.told("invoice.payment_failed").last)
    #expect(told["status"] == "open")
    #expect(told["attempt_count"] == 1)
    #expect(told["attempted"] == true)
    #expect(told["next_payment_attempt"]?.integer != nil)
    #expect(told.at("status_transitions", "paid_at") == .null)
    #expect(play.after(.recover).subscription.status == "active")
    #expect(play.after(.void).subscription.status == "active")
    #expect(play.after(.endDunning("unpaid")).subscription.status == "unpaid")
  }

  @Test("A deferred change waits for the next invoice, and one without prorations is never billed")
  func deferred() {
    let deferred = Play.subscription(basic).after(.setPrice(item: 0, "price_b1", billing: .deferred), days: 10)
    #expect(deferred.invoices.count == 1)
    #expect(deferred.after(.renew).newest.lines.map(\.isProration) == [true, true, false])
    let unbilled = Play.subscription(basic).after(.setPrice(item: 0, "price_b1", billing: .none), days: 10)
    #expect(unbilled.after(.renew).newest.lines.map(\.isProration) == [false])
  }

  @Test("A downgrade's credit goes to the balance, which pays the next invoice")
  func downgrade() throws {
    let play = Play.subscription(Wish(price: "price_b1", quantity: 1))
      .after(.setPrice(item: 0, "price_a1", billing: .atOnce), days: 15)
    #expect(play.newest.total == -1_500)
    #expect(play.newest.payment == nil)
    let renewed = play.after(.renew)
    let told = try #require(renewed.told("invoice.paid").last)
    #expect(told["status"] == "paid")
    #expect(told["total"] == 1_000)
    #expect(told["amount_paid"] == 0)
    #expect(told["starting_balance"] == -1_000)
    #expect(renewed.newest.payment == nil)
  }

  @Test("From a month to a year: billed at once, the billing date moves, the rest of the month is credited")
  func interval() {
    let play = Play.subscription(basic).after(.setPrice(item: 0, "price_a1y", billing: .deferred), days: 10)
    #expect(play.newest.lines.map(\.amount) == [-666, 10_000])
    #expect(play.newest.lines.map(\.isProration) == [true, false])
    #expect(play.subscription.periodEnd == play.stripe.now + year)
    let back = play.after(.setPrice(item: 0, "price_a1", billing: .atOnce), days: 100)
    #expect(back.subscription.periodEnd == back.stripe.now + month)
    #expect(back.newest.lines[0].end == play.subscription.periodEnd)
    let uncredited = Play.subscription(basic).after(.setPrice(item: 0, "price_a1y", billing: .none), days: 10)
    #expect(uncredited.newest.lines.map(\.amount) == [10_000])
  }

  @Test("An item is replaced by another in one call, and when a schedule's next phase begins")
  func replaced() {
    let former = Play.subscription(basic)
    let play = former.after(.replaceItem(0, with: "price_b1", billing: .atOnce), days: 10)
    #expect(play.subscription.items[0].id != former.subscription.items[0].id)
    #expect(play.subscription.lineage(of: play.subscription.items[0].id) == former.subscription.items[0].id)
    let phase = former.after(.turnToNextPhase(item: 0, "price_a2", isPaid: true))
    #expect(phase.subscription.items[0].id != former.subscription.items[0].id)
    #expect(phase.newest.lines.map(\.price) == ["price_a2"])
    #expect(phase.told("customer.subscription.updated").last?["schedule"] == "sub_sched_1")
  }

  @Test("A one-time price stands on the invoice of a change, of a start, and on the next one that it waited for")
  func oneTimeLines() {
    let changed = Play.subscription(basic).after(
      .setPriceWithAddOn(item: 0, "price_b1", billing: .atOnce), days: 10)
    #expect(changed.newest.lines.map(\.price) == ["price_a1", "price_b1", Catalog.addOn])
    #expect(changed.newest.lines.last?.item == nil)
    let trial = Play.subscription(basic, start: .init(trial: true, extra: .setupFee))
    #expect(trial.newest.lines.map(\.amount) == [5_000, 0])
    #expect(trial.newest.payment != nil)
    #expect(trial.subscription.status == "trialing")
    let waited = Play.subscription(basic).after(.addPendingAddOn, .renew, days: 3)
    #expect(waited.newest.lines.map(\.price) == [Catalog.addOn, "price_a1"])
  }

  @Test("A moved billing date doubles the time, and is credited where the vendor chose so")
  func billingDate() {
    let moved = Play.subscription(basic).after(.moveBillingDate(credit: false), days: 10)
    #expect(moved.newest.lines.map(\.isProration) == [false])
    #expect(moved.newest.lines[0].start < moved.invoices[0].lines[0].end)
    let credited = Play.subscription(basic).after(.moveBillingDate(credit: true), days: 10)
    #expect(credited.newest.lines.map(\.isCredit) == [true, false])
  }

  @Test("A free time of an item's own is told, and the item is billed from its end")
  func trialOffer() throws {
    let play = Play.subscription(basic).after(.addTrialOffer(Wish(price: "price_b1", quantity: 1)), days: 20)
    let item = try #require(play.told("customer.subscription.updated").last?.at("items", "data")?.array?.last)
    #expect(item.at("current_trial", "end_date")?.integer == play.stripe.now + 14 * day)
    let renewed = play.after(.renew)
    #expect(renewed.newest.lines.map(\.start) == [play.subscription.periodEnd, play.stripe.now + 14 * day])
  }

  // MARK: Money that takes its time

  @Test("Money that is held on a card: complete and unpaid, then captured, and the session says nothing of it")
  func held() throws {
    let former = Play(.checkout(CheckoutStart(money: .held), [basic]))
    #expect(former.told("checkout.session.completed").last?["payment_status"] == "unpaid")
    #expect(former.told("payment_intent.amount_capturable_updated").last?["status"] == "requires_capture")
    #expect(former.told("charge.succeeded").last?["captured"] == false)
    let captured = former.after(.capture(part: true), days: 2)
    #expect(captured.types(since: former) == ["charge.captured", "payment_intent.succeeded"])
    let charge = try Stripe.Charge(try #require(captured.told("charge.captured").last))
    #expect([charge.amount, charge.amountCaptured, charge.amountRefunded] == [1_000, 400, 600])
    #expect(!charge.isMarkedRefunded)
    #expect(captured.stripe.sessions[captured.root]?.paymentStatus == "paid")
    let returned = captured.after(.refund(payment: 0, part: false, pending: false))
    #expect(returned.told("charge.refunded").last?["amount_refunded"] == 1_000)
    #expect(returned.told("charge.refunded").last?["refunded"] == true)
    let released = former.after(.releaseHold)
    #expect(released.types(since: former) == ["payment_intent.canceled", "charge.refunded"])
  }

  @Test(
    "A debit of a renewal: active, an open invoice that was attempted, then paid or failed", arguments: Shape.allCases)
  func debit(shape: Shape) throws {
    let play = Play.subscription(basic, shape: shape).after(.renewUnderWay)
    #expect(play.subscription.status == "active")
    let told = try #require(play.told("invoice.updated").last)
    #expect([told["status"], told["attempted"], told["attempt_count"]] == ["open", true, 1])
    let arrived = play.after(.debitArrives, days: 5)
    #expect(arrived.newest.status == "paid")
    #expect(arrived.newest.paidAt == arrived.stripe.now)
    #expect(arrived.told("invoice.paid").last?["created"]?.integer != arrived.stripe.now)
    #expect(play.after(.debitFails, days: 5).subscription.status == "past_due")
    let first = Play.subscription(basic, start: .init(byCheckout: true, first: .underWay), shape: shape)
    #expect(first.subscription.status == "active")
    #expect(first.told("checkout.session.completed").last?["payment_status"] == "unpaid")
    #expect(first.after(.debitArrives).told("checkout.session.async_payment_succeeded").count == 1)
    #expect(first.after(.debitFails).told("checkout.session.async_payment_failed").count == 1)
  }

  @Test("A renewal that is held back stays a draft, and was finalised when it says so")
  func draft() {
    let play = Play.subscription(basic).after(.renewHeldBack)
    #expect(play.newest.status == "draft")
    #expect(play.newest.finalizedAt == nil)
    let failed = play.after(.finalizeDraft(isPaid: false), days: 8)
    #expect(failed.newest.finalizedAt == failed.stripe.now)
    #expect(failed.newest.created < failed.stripe.now - 7 * day)
    #expect(failed.subscription.status == "past_due")
  }

  @Test("A sent invoice has terms, is overdue when they are over, and is paid late")
  func sent() throws {
    let play = Play.subscription(basic, start: .init(first: .sent))
    #expect(play.newest.dueDate == play.stripe.now + 30 * day)
    #expect(play.told("invoice.finalized").last?["collection_method"] == "send_invoice")
    let late = play.after(.becomesOverdue)
    #expect(late.subscription.status == "past_due")
    #expect(late.after(.pay, days: 9).subscription.status == "active")
    let outside = late.after(.payOutside)
    #expect(outside.newest.payment == nil)
    #expect(outside.told("invoice.paid").last?["amount_paid"] == 1_000)
    let old = Play(.invoice([basic]), shape: .old).after(.payOutside, days: 40)
    #expect(old.told("invoice.paid").last?["amount_paid"] == 0)
    #expect(old.told("invoice.paid").last?["paid_out_of_band"] == true)
    #expect(old.told("invoice.paid").last?.at("status_transitions", "paid_at")?.integer == old.stripe.now)
  }

  // MARK: Pauses

  @Test("Collection is paused in three ways, and none of their invoices is attempted")
  func collectionPaused() {
    let ways: [(Change, String)] = [
      (.pauseCollection, "void"), (.pauseCollectionKeepingDrafts, "draft"),
      (.pauseCollectionUncollectible, "uncollectible"),
    ]
    for (change, status) in ways {
      let play = Play.subscription(basic).after(change, .renew)
      #expect(play.newest.status == status)
      #expect(play.newest.attempts == 0)
      #expect(play.subscription.status == "active")
      #expect(play.told("customer.subscription.updated").last?["pause_collection"] != .null)
      #expect(play.after(.resumeCollection).told("customer.subscription.updated").last?["pause_collection"] == .null)
    }
  }

  @Test("A paused subscription says why")
  func paused() {
    func cause(_ play: Play) -> String? {
      play.told("customer.subscription.paused").last?.at("status_details", "paused", "subscription", "type")?.string
    }
    #expect(cause(Play.subscription(basic).after(.requestPause)) == "pause_requested")
    #expect(
      cause(Play.subscription(basic, start: .init(trial: true)).after(.trialEndsWithoutPaymentMethod))
        == "trial_end_without_payment_method")
    #expect(
      cause(Play.subscription(basic).after(.failRenewal, .endDunning("paused"))) == "final_payment_failure")
  }

  @Test("A paused subscription is taken up: in what was paid, at its old date, or anew")
  func resumed() {
    let paused = Play.subscription(basic).after(.requestPause, days: 5)
    let free = paused.after(.resume(atOldDate: true, isPaid: true), days: 5)
    #expect(free.invoices.count == 1)
    #expect(free.subscription.status == "active")
    let late = paused.after(.resume(atOldDate: true, isPaid: true), days: 40)
    #expect(late.newest.lines.map(\.isProration) == [true])
    let anew = paused.after(.resume(atOldDate: false, isPaid: true), days: 40)
    #expect(anew.newest.lines.map(\.amount) == [1_000])
    let refused = paused.after(.resume(atOldDate: false, isPaid: false), days: 40)
    #expect(refused.subscription.status == "paused")
    #expect(refused.after(.pay).subscription.status == "active")
  }

  // MARK: Money that moves back

  @Test("Money returned outside Stripe stands in a credit note, and in the invoice", arguments: Shape.allCases)
  func creditNote(shape: Shape) throws {
    let play = Play(.invoice([basic]), shape: shape).after(.payOutside, .creditOutside(part: false))
    let note = try #require(play.told("credit_note.created").last)
    #expect(note["out_of_band_amount"] == 1_000)
    #expect(try Stripe.CreditNote(note).refunds.isEmpty)
    #expect(play.told("invoice.updated").last?["post_payment_credit_notes_amount"] == 1_000)
    #expect(play.stripe.creditNotes(ofInvoice: play.root).count == 1)
    let balance = Play.subscription(basic, shape: shape).after(.creditToBalance)
    #expect(balance.told("credit_note.created").last?["out_of_band_amount"] == .null)
    #expect(balance.stripe.balance == 500)
  }

  @Test("Stripe lists all invoices of a subscription, the newest first, in the newest shape")
  func listed() throws {
    let play = Play.subscription(basic, shape: .old).after(.renew, .renew)
    let listed = try play.stripe.invoices(ofSubscription: play.root).map { try Stripe.Invoice($0) }
    #expect(listed.map(\.id.rawValue) == play.invoices.reversed().map(\.id))
    #expect(play.stripe.invoices(ofSubscription: "sub_other").isEmpty)
  }

  @Test("A cancellation with credit gives back what is not used")
  func canceledWithCredit() {
    let play = Play.subscription(basic).after(.cancelNowWithCredit, days: 15)
    #expect(play.subscription.status == "canceled")
    #expect(play.newest.lines.map(\.amount) == [-500])
    #expect(Play.subscription(basic).after(.cancelNow, days: 15).invoices.count == 1)
  }

  @Test(
    "Every event of 600 histories is one that the service can read, and every object is answered as it was told last")
  func readable() throws {
    for seed in UInt64(0)..<600 {
      let moments = Generator.history(seed: seed).moments()
      guard let stripe = moments.last else { continue }
      for id in stripe.invoices.keys {
        guard case .invoice = try stripe.answer(.invoice(.init(id))) else { throw Unread(id: id) }
      }
      for id in stripe.subscriptions.keys {
        guard case .subscription(let read) = try stripe.answer(.subscription(.init(id))) else { throw Unread(id: id) }
        #expect(read.items.count == stripe.subscriptions[id]?.items.count)
      }
      for id in stripe.payments.keys { _ = try stripe.answer(.paymentIntent(.init(id))) }
    }
  }

  private struct Unread: Error { let id: String }
}
