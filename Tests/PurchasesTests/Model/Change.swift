/// When and how the difference that a change makes is billed.
enum Billing: String, Hashable, Sendable, CaseIterable {
  /// On an invoice of its own, which is paid (`always_invoice`).
  case atOnce
  /// On an invoice of its own, and the card refuses.
  case atOnceFails
  /// On an invoice of its own, by a debit that takes days.
  case atOnceUnderWay
  /// With the next invoice (`create_prorations`).
  case deferred
  /// Not at all (`none`).
  case none
}

/// What happens to a purchase after it began. What does not apply at the time changes nothing, so that any part of a
/// history is a history.
enum Change: Hashable, Sendable {
  // One-time
  case moneyArrives, moneyFails
  /// Money that was held on a card is taken, or let go.
  case capture(part: Bool)
  case releaseHold
  // Invoices: of one-time sales, or the newest that is open of a subscription
  case pay, payOutside, void, markUncollectible
  // Subscriptions
  case payFirst, neverPay
  /// The next period of a subscription is billed on one invoice with that of another.
  case renewTogether
  case renew, failRenewal, retryFails, recover, renewUnderWay, renewHeldBack
  case debitArrives, debitFails
  case finalizeDraft(isPaid: Bool)
  case becomesOverdue
  case trialEndsWithoutPaymentMethod, trialEndsCanceled
  /// - Parameter to: the status that the vendor's settings choose: `canceled`, `unpaid`, or `paused`.
  case endDunning(String)
  case cancelNow, cancelNowWithCredit, cancelAtPeriodEnd, keepAfterAll
  case setQuantity(item: Int, Int, billing: Billing)
  case setPrice(item: Int, String, billing: Billing)
  /// As a change of price, with a one-time price on its invoice.
  case setPriceWithAddOn(item: Int, String, billing: Billing)
  case addItem(Wish, billing: Billing)
  case removeItem(Int, billing: Billing)
  /// Another item in the place of one, in one call.
  case replaceItem(Int, with: String, billing: Billing)
  /// A schedule's next phase begins with the next period.
  case turnToNextPhase(item: Int, String, isPaid: Bool)
  case addTrialOffer(Wish)
  /// A one-time price that waits for the next invoice.
  case addPendingAddOn
  case moveBillingDate(credit: Bool)
  case pauseCollection, pauseCollectionKeepingDrafts, pauseCollectionUncollectible, resumeCollection
  case requestPause
  case resume(atOldDate: Bool, isPaid: Bool)
  // Money that moves back; payments are counted from the newest
  case refund(payment: Int, part: Bool, pending: Bool)
  case refundSucceeds, refundFails
  /// A credit note of the newest paid invoice, with money returned outside Stripe, or into the customer's balance.
  case creditOutside(part: Bool)
  case creditToBalance
  case dispute(payment: Int, inquiry: Bool)
  case disputeEscalates, disputeWon, disputeLost

  static func setQuantity(item: Int, _ quantity: Int, invoiced: Bool) -> Change {
    .setQuantity(item: item, quantity, billing: invoiced ? .atOnce : .none)
  }
  static func setPrice(item: Int, _ price: String, invoiced: Bool) -> Change {
    .setPrice(item: item, price, billing: invoiced ? .atOnce : .none)
  }
  static func addItem(_ wish: Wish, invoiced: Bool) -> Change { .addItem(wish, billing: invoiced ? .atOnce : .none) }
  static func removeItem(_ item: Int) -> Change { .removeItem(item, billing: .none) }
}

extension Change {
  /// What kind of a change it is, so that it can be counted how often each takes effect. One for each case, and one for
  /// each way of billing where that is the point of it.
  var kind: String {
    let name = String(describing: self)
    let label = String(name.prefix { $0 != "(" })
    switch self {
    case .setQuantity(_, _, let billing), .setPrice(_, _, let billing), .setPriceWithAddOn(_, _, let billing),
      .addItem(_, let billing), .removeItem(_, let billing), .replaceItem(_, _, let billing):
      return "\(label) \(billing.rawValue)"
    case .endDunning(let status): return "\(label) \(status)"
    case .capture(let part): return part ? "capture in part" : "capture"
    case .finalizeDraft(let isPaid): return isPaid ? "finalizeDraft paid" : "finalizeDraft failing"
    case .turnToNextPhase(_, _, let isPaid): return isPaid ? "turnToNextPhase paid" : "turnToNextPhase failing"
    case .moveBillingDate(let credit): return credit ? "moveBillingDate with credit" : "moveBillingDate"
    case .resume(let atOldDate, let isPaid):
      return "resume\(atOldDate ? " at the old date" : "")\(isPaid ? "" : " failing")"
    case .refund(_, let part, let pending):
      return "refund\(part ? " in part" : "")\(pending ? " pending" : "")"
    case .creditOutside(let part): return part ? "creditOutside in part" : "creditOutside"
    case .dispute(_, let inquiry): return inquiry ? "inquiry" : "dispute"
    default: return label
    }
  }

  /// All that a history may contain.
  static let kinds: [String] = {
    func billed(_ name: String, _ ways: [Billing] = Billing.allCases) -> [String] {
      ways.map { "\(name) \($0.rawValue)" }
    }
    var kinds = [
      "moneyArrives", "moneyFails", "capture", "capture in part", "releaseHold", "pay", "payOutside",
      "void", "markUncollectible", "payFirst", "neverPay", "renew", "renewTogether", "failRenewal", "retryFails",
      "recover",
      "renewUnderWay", "renewHeldBack", "debitArrives", "debitFails", "finalizeDraft paid", "finalizeDraft failing",
      "becomesOverdue", "trialEndsWithoutPaymentMethod", "trialEndsCanceled", "endDunning canceled",
      "endDunning unpaid", "endDunning paused", "cancelNow", "cancelNowWithCredit", "cancelAtPeriodEnd",
      "keepAfterAll", "turnToNextPhase paid", "turnToNextPhase failing", "addTrialOffer", "addPendingAddOn",
      "moveBillingDate", "moveBillingDate with credit", "pauseCollection", "pauseCollectionKeepingDrafts",
      "pauseCollectionUncollectible", "resumeCollection", "requestPause", "resume", "resume failing",
      "resume at the old date", "resume at the old date failing", "refund", "refund in part", "refund pending",
      "refund in part pending", "refundSucceeds", "refundFails", "creditOutside", "creditOutside in part",
      "creditToBalance", "dispute", "inquiry", "disputeEscalates", "disputeWon", "disputeLost",
    ]
    for name in ["setQuantity", "setPrice", "addItem", "replaceItem"] { kinds += billed(name) }
    kinds += billed("setPriceWithAddOn", [.atOnce, .atOnceFails])
    kinds += billed("removeItem", [.atOnce, .deferred, .none])
    return kinds
  }()
}
