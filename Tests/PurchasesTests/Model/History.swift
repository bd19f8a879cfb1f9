/// What a buyer takes: a price and how many.
struct Wish: Hashable, Sendable {
  var price: String
  var quantity: Int
}

/// How a purchase begins.
enum Beginning: Hashable, Sendable {
  case checkout(guest: Bool, makesInvoice: Bool, delayed: Bool, [Wish])
  case invoice([Wish])
  /// - Parameter opensIncomplete: the subscription exists before its first payment, as Checkout did before 2025-03-31.
  case subscription(trial: Bool, byCheckout: Bool, opensIncomplete: Bool, [Wish])
}

/// What happens to a purchase later. What does not apply at the time changes nothing, so that any part of a history is a
/// history.
enum Change: Hashable, Sendable {
  // One-time
  case moneyArrives, moneyFails, sessionExpires
  case pay, void, markUncollectible
  // Subscriptions
  case payFirst, neverPay
  case renew, failRenewal, retryFails, recover, trialEndsWithoutPaymentMethod
  case endDunning(String)
  case cancelNow, cancelAtPeriodEnd, keepAfterAll
  case setQuantity(item: Int, Int, invoiced: Bool)
  case setPrice(item: Int, String, invoiced: Bool)
  case addItem(Wish, invoiced: Bool)
  case removeItem(Int)
  case pauseCollection, resumeCollection
  // Money that moves back; payments are counted from the newest
  case refund(payment: Int, part: Bool, pending: Bool)
  case refundSucceeds, refundFails
  case dispute(payment: Int, inquiry: Bool)
  case disputeEscalates, disputeWon, disputeLost
}

/// Something that happens at Stripe, some seconds after what happened before.
struct Happening: Hashable, Sendable, CustomStringConvertible {
  enum What: Hashable, Sendable {
    case begins(Beginning)
    case changes(Change)
  }
  var after: Seconds
  var purchase: Int
  var what: What

  var description: String {
    let gap = after == 0 ? "in the same second" : after < 7_200 ? "\(after) s later" : "\(after / 3_600) h later"
    return "\(gap), purchase \(purchase): \(what)"
  }
}

/// Everything that happens at Stripe, and how it is told.
struct History: Hashable, Sendable, CustomStringConvertible {
  var shape = Shape.new
  var cutsLists = false
  var tellsInvoicePayments = true
  var offer = Offer()
  var happenings: [Happening] = []

  var description: String {
    "shape \(shape), cuts lists \(cutsLists), invoice payments \(tellsInvoicePayments)\n\(offer)\n"
      + happenings.map { "  - \($0)" }.joined(separator: "\n")
  }

  /// The moments of the history: Stripe before anything, and after each happening.
  func moments() -> [StripeModel] {
    var model = StripeModel(shape: shape, cutsLists: cutsLists, tellsInvoicePayments: tellsInvoicePayments)
    var roots: [Int: String] = [:]
    var moments = [model]
    for happening in happenings {
      model.now += happening.after
      switch happening.what {
      case .begins(let beginning): roots[happening.purchase] = model.begin(beginning)
      case .changes(let change): if let root = roots[happening.purchase] { model.apply(change, to: root) }
      }
      moments.append(model)
    }
    return moments
  }
}
