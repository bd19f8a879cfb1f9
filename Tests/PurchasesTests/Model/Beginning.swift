/// What a buyer takes: a price and how many.
struct Wish: Hashable, Sendable {
  var price: String
  var quantity: Int
}

/// How a purchase begins.
enum Beginning: Hashable, Sendable {
  case checkout(CheckoutStart, [Wish])
  case invoice([Wish])
  case subscription(SubscriptionStart, [Wish])

  static func checkout(guest: Bool, makesInvoice: Bool, delayed: Bool, _ wishes: [Wish]) -> Beginning {
    .checkout(CheckoutStart(guest: guest, makesInvoice: makesInvoice, money: delayed ? .delayed : .card), wishes)
  }

  /// - Parameter opensIncomplete: the subscription exists before its first payment, as Checkout did before 2025-03-31.
  static func subscription(trial: Bool, byCheckout: Bool, opensIncomplete: Bool, _ wishes: [Wish]) -> Beginning {
    .subscription(
      SubscriptionStart(trial: trial, byCheckout: byCheckout, first: opensIncomplete ? .incomplete : .paid), wishes)
  }
}

struct CheckoutStart: Hashable, Sendable {
  enum Money: String, Hashable, Sendable, CaseIterable {
    case card
    /// Takes days to arrive, or does not.
    case delayed
    /// Held on the card, and captured later.
    case held
  }
  var guest = false
  var makesInvoice = false
  var money = Money.card
}

struct SubscriptionStart: Hashable, Sendable {
  enum First: String, Hashable, Sendable, CaseIterable {
    case paid
    /// The card asks for confirmation, or refuses; Stripe waits 23 hours.
    case incomplete
    /// A bank debit takes days; Stripe calls the subscription active meanwhile.
    case underWay
    /// Invoices are sent, with 30 days to pay.
    case sent
  }
  /// A one-time price on the first invoice.
  enum Extra: String, Hashable, Sendable, CaseIterable { case setupFee, addOn }

  var trial = false
  var byCheckout = false
  var first = First.paid
  var extra: Extra?
  /// What a second subscription gives that is billed together with it, on the same invoice.
  var beside: [Wish] = []
}
