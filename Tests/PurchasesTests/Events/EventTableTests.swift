import Identity
import JSON
import StripeAPI
import Testing

@testable import Purchases

@Suite("The table of event types")
struct EventTableTests {
  // MARK: What is learned

  /// What the timeline calls the object, which purchases are looked at, what the timeline says, and in which call of event
  /// sync the type is listed.
  struct Learned: Sendable, CustomTestStringConvertible {
    let type: String
    let noun: String
    let looks: EventEffect.ReconcileRequest
    let phrase: String
    let call: Int

    init(_ type: String, _ noun: String, _ looks: EventEffect.ReconcileRequest, _ phrase: String, call: Int) {
      (self.type, self.noun, self.looks, self.phrase, self.call) = (type, noun, looks, phrase, call)
    }

    var testDescription: String { type }
  }

  static let learned: [Learned] = [
    Learned("checkout.session.completed", "Checkout Session cs_1", .always, "was completed", call: 0),
    Learned(
      "checkout.session.async_payment_succeeded", "Checkout Session cs_1", .always,
      "was paid, later than it was completed", call: 0),
    Learned(
      "checkout.session.async_payment_failed", "the delayed payment of Checkout Session cs_1", .always, "failed",
      call: 0),
    Learned("checkout.session.expired", "Checkout Session cs_1", .always, "expired", call: 0),
    Learned("customer.subscription.created", "subscription sub_1", .always, "began", call: 0),
    Learned("customer.subscription.updated", "subscription sub_1", .always, "was changed", call: 0),
    Learned("customer.subscription.deleted", "subscription sub_1", .always, "ended", call: 0),
    Learned("customer.subscription.paused", "subscription sub_1", .always, "was paused", call: 0),
    Learned("customer.subscription.resumed", "subscription sub_1", .always, "was resumed", call: 0),
    Learned(
      "customer.subscription.pending_update_applied", "subscription sub_1", .always, "was changed as was planned",
      call: 0),
    Learned(
      "customer.subscription.pending_update_expired", "subscription sub_1", .ifKnown,
      "has news: pending update expired", call: 1),
    Learned(
      "customer.subscription.trial_will_end", "subscription sub_1", .ifKnown, "has news: trial will end", call: 1),
    Learned("invoice.paid", "invoice in_1", .always, "was paid", call: 0),
    Learned("invoice.payment_failed", "invoice in_1", .always, "could not be collected", call: 0),
    Learned(
      "invoice.payment_action_required", "invoice in_1", .ifKnown, "waits for the buyer to confirm the payment", call: 1
    ),
    Learned("invoice.voided", "invoice in_1", .always, "was voided", call: 0),
    Learned("invoice.marked_uncollectible", "invoice in_1", .always, "was given up as uncollectible", call: 0),
    Learned("invoice.finalized", "invoice in_1", .ifKnown, "was made final", call: 1),
    Learned("invoice.updated", "invoice in_1", .ifKnown, "was changed", call: 1),
    Learned("invoice_payment.paid", "invoice payment inpay_1", .always, "went through", call: 0),
    Learned("charge.succeeded", "charge ch_1", .ifKnown, "went through", call: 1),
    Learned("charge.updated", "charge ch_1", .ifKnown, "was changed", call: 1),
    Learned("charge.captured", "charge ch_1", .ifKnown, "was captured", call: 2),
    Learned("charge.refunded", "charge ch_1", .always, "was refunded", call: 0),
    Learned("refund.created", "refund re_1", .always, "was begun", call: 0),
    Learned("refund.updated", "refund re_1", .always, "was changed", call: 0),
    Learned("refund.failed", "refund re_1", .always, "failed", call: 0),
    Learned("charge.refund.updated", "refund re_1", .always, "was changed", call: 0),
    Learned("charge.dispute.created", "dispute du_1", .always, "was opened", call: 1),
    Learned("charge.dispute.updated", "dispute du_1", .always, "was changed", call: 1),
    Learned("charge.dispute.funds_withdrawn", "dispute du_1", .always, "took the money back", call: 1),
    Learned("charge.dispute.funds_reinstated", "dispute du_1", .always, "gave the money back", call: 1),
    Learned("charge.dispute.closed", "dispute du_1", .always, "was closed", call: 1),
    Learned(
      "radar.early_fraud_warning.created", "fraud warning issfr_1", .always, "was given by the card network", call: 1),
    Learned("radar.early_fraud_warning.updated", "fraud warning issfr_1", .always, "was changed", call: 1),
    Learned("credit_note.created", "credit note cn_1", .always, "was issued", call: 1),
    Learned("credit_note.updated", "credit note cn_1", .always, "was changed", call: 1),
    Learned("credit_note.voided", "credit note cn_1", .always, "was voided", call: 1),
    Learned("payment_intent.succeeded", "payment pi_1", .ifKnown, "went through", call: 1),
    Learned("payment_intent.canceled", "payment pi_1", .none, "was canceled", call: 1),
    Learned("payment_intent.payment_failed", "payment pi_1", .none, "failed", call: 1),
    Learned("customer.created", "customer cus_1", .none, "is new", call: 2),
    Learned("customer.updated", "customer cus_1", .none, "was changed", call: 2),
    Learned("customer.deleted", "customer cus_1", .none, "was deleted", call: 2),
    Learned("product.created", "product prod_1", .none, "has news: created", call: 2),
    Learned("product.updated", "product prod_1", .none, "has news: updated", call: 2),
    Learned("product.deleted", "product prod_1", .none, "has news: deleted", call: 2),
    Learned("price.created", "price price_1", .none, "has news: created", call: 2),
    Learned("price.updated", "price price_1", .none, "has news: updated", call: 2),
    Learned("price.deleted", "price price_1", .none, "has news: deleted", call: 2),
  ]

  static let objects: [String: JSONValue] = [
    "Checkout Session cs_1": ["id": "cs_1", "object": "checkout.session", "mode": "payment"],
    "the delayed payment of Checkout Session cs_1": ["id": "cs_1", "object": "checkout.session", "mode": "payment"],
    "subscription sub_1": EventFixture.subscription([]),
    "invoice in_1": EventFixture.invoice([]),
    "invoice payment inpay_1": ["id": "inpay_1", "object": "invoice_payment", "invoice": "in_1"],
    "charge ch_1": ["id": "ch_1", "object": "charge"],
    "refund re_1": ["id": "re_1", "object": "refund", "charge": "ch_1"],
    "dispute du_1": ["id": "du_1", "object": "dispute", "charge": "ch_1", "status": "needs_response"],
    "fraud warning issfr_1": ["id": "issfr_1", "object": "radar.early_fraud_warning", "charge": "ch_1"],
    "credit note cn_1": ["id": "cn_1", "object": "credit_note", "invoice": "in_1"],
    "payment pi_1": ["id": "pi_1", "object": "payment_intent"],
    "customer cus_1": ["id": "cus_1", "object": "customer"],
    "product prod_1": ["id": "prod_1", "object": "product"],
    "price price_1": ["id": "price_1", "object": "price"],
  ]

  @Test("A type that has an effect is learned, looked at, told and listed as it is here", arguments: learned)
  func learns(_ expected: Learned) throws {
    let event = try EventFixture.event(expected.type, try #require(Self.objects[expected.noun]))
    guard case .learn(let snapshot, let looks) = try EventTable.effect(of: event) else {
      Issue.record("it is not learned")
      return
    }
    #expect(snapshot.noun == expected.noun)
    #expect(looks == expected.looks)
    #expect(
      EventSummary.title(event, snapshot)
        == "Stripe says: \(expected.noun) \(expected.phrase) (\(expected.type), evt_1).")
    #expect(EventTable.syncCalls.firstIndex { $0.contains(event.type) } == expected.call)
  }

  @Test("Event sync lists what is learned and no other type, at most 20 in a call")
  func listed() {
    #expect(EventTable.syncCalls.flatMap(\.self).map(\.rawValue).sorted() == Self.learned.map(\.type).sorted())
    #expect(EventTable.syncCalls.allSatisfy { $0.count <= 20 })
  }

  @Test("Each name has one row, and each row is tested here")
  func rows() {
    let names = EventTable.rows.flatMap { [$0.type, $0.formerName].compactMap(\.self) }
    #expect(Set(names).count == names.count)
    let tested = Self.learned.map(\.type) + Self.ignored.keys + Self.installs.map(\.type)
    #expect(Set(names.map(\.rawValue)).subtracting(tested) == [])
  }

  // MARK: Notes

  @Test(
    "Only what the licenses do not tell leaves a note, and what moves money of a managed sale another",
    arguments: learned)
  func notes(_ row: Learned) throws {
    let titles = [
      "invoice.payment_action_required": "The buyer's bank wants the buyer to confirm the payment.",
      "invoice.payment_failed": "A payment has failed.",
      "invoice.marked_uncollectible": "The invoice was given up.",
      "customer.subscription.trial_will_end": "The trial ends soon.",
      "customer.subscription.pending_update_expired":
        "A change of the subscription was dropped, since its payment did not come.",
      "radar.early_fraud_warning.created": "The card issuer warns that a payment may be fraud.",
      "credit_note.created": "A credit note was issued for invoice in_1.",
    ]
    let managed = [
      "refund.created": "Stripe returned money by itself, as the merchant of record.",
      "charge.dispute.created": "Stripe answers this dispute, as the merchant of record.",
    ]
    let event = try EventFixture.event(row.type, try #require(Self.objects[row.noun]))
    guard case .learn(let snapshot, _) = try EventTable.effect(of: event) else { return }
    #expect(EventNote(on: event, snapshot)?.title == titles[row.type])
    #expect(EventNote(onManaged: event, snapshot)?.title == managed[row.type])
  }

  // MARK: The installation

  static let installs: [(type: String, change: AppInstall.Change?)] = [
    ("account.application.authorized", nil), ("account.application.deauthorized", nil),
    ("apps.install.created", .created), ("app.install.created", .created),
    ("apps.install.updated", .updated), ("app.install.updated", .updated),
    ("apps.install.deleted", .deleted), ("app.install.deleted", .deleted),
  ]

  @Test("What tells of the installation is handed on, by its present name and by its former one", arguments: installs)
  func installation(type: String, change: AppInstall.Change?) throws {
    let object: JSONValue = ["id": "appin_1", "object": "apps.install", "app": "app_1", "livemode": true]
    let known: EventEffect.Application = type.hasSuffix(".authorized") ? .authorized : .deauthorized
    let expected = try change.map { .install($0, try AppInstall(object)) } ?? known
    #expect(try EventFixture.effect(type, object) == .application(expected))
  }

  // MARK: What is ignored

  static let ignored = [
    "invoice.payment_succeeded": "invoice.paid says the same.",
    "invoice.created": "Nothing is due yet; the invoice says so when it is.",
    "invoice.upcoming": "Nothing is due yet; the invoice says so when it is.",
    "subscription_schedule.created": scheduled, "subscription_schedule.updated": scheduled,
    "subscription_schedule.released": scheduled, "subscription_schedule.canceled": scheduled,
    "subscription_schedule.completed": scheduled, "subscription_schedule.aborted": scheduled,
    "subscription_schedule.expiring": scheduled,
    "payment_link.created": link, "payment_link.updated": link,
    "entitlements.active_entitlement_summary.updated":
      "Licenses follow what was sold, by its price. Entitlements tell the same in another way.",
    "account.updated": "Nothing of the account is kept but its id.",
    "ping": "A ping is about nothing: Stripe asks whether the address answers.",
    "app.installed": unknown, "plan.created": unknown, "apps.install.approved": unknown, "invoice": unknown,
  ]
  static let scheduled = "What is scheduled has no effect before its phase begins; the subscription says so then."
  static let link = "A sale through a Payment Link is known by its Checkout Session; mappings are of products."
  static let unknown = "This event type has no effect on licenses."

  @Test("A type that has no effect is ignored for the reason that stands here", arguments: ignored)
  func ignores(type: String, reason: String) throws {
    #expect(try EventFixture.effect(type, ["id": "x_1", "object": "other"]) == .ignore(reason))
  }

  @Test("A Checkout Session that sells nothing is ignored, but for its payment that has failed")
  func setup() throws {
    let session: JSONValue = ["id": "cs_1", "object": "checkout.session", "mode": "setup"]
    for type in ["completed", "async_payment_succeeded", "expired"] {
      #expect(
        try EventFixture.effect("checkout.session.\(type)", session)
          == .ignore("A Checkout Session that sells nothing."))
    }
    let failed = FailedPayment(session: "cs_1", payment: nil, subscription: nil)
    #expect(
      try EventFixture.effect("checkout.session.async_payment_failed", session)
        == .learn(.paymentFailed(failed), .always))
  }
}
