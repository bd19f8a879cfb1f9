import JSON

/// Seconds since 1970, as Stripe tells time.
typealias Seconds = Int64

let hour: Seconds = 3_600
let day: Seconds = 86_400
let month: Seconds = 30 * day
let year: Seconds = 365 * day

/// The two forms in which Stripe tells the same object: before and since 2025-03-31.
enum Shape: String, Hashable, Sendable, CaseIterable { case old, new }

struct ModelLine: Hashable, Sendable {
  /// What a proration gives back, as newer versions name it.
  struct Credited: Hashable, Sendable {
    var invoice: String
    var line: String
  }

  var id: String
  var price: String
  var quantity: Int
  var amount: Int64
  /// `si_…` for a line that bills a subscription's item.
  var item: String?
  /// The subscription that it bills, where that is another one than the invoice is of.
  var subscription: String?
  var isProration = false
  var start: Seconds
  var end: Seconds
  /// For the unused time of a former price or quantity: the line that billed it.
  var credited: Credited?
  /// Nothing is asked for the time, since it is a trial.
  var isTrial = false

  /// A line that takes back.
  var isCredit: Bool { isProration && amount < 0 }
}

struct ModelInvoice: Hashable, Sendable {
  var id: String
  var status: String
  var reason: String
  var subscription: String?
  var lines: [ModelLine]
  var payment: String?
  var attempts: Int64 = 0
  var created: Seconds
  var dueDate: Seconds?
  var collectionMethod = "charge_automatically"
  /// When Stripe tries again, or finalises a draft; nil when it will not by itself.
  var nextAttempt: Seconds?
  var finalizedAt: Seconds?
  var paidAt: Seconds?
  var voidedAt: Seconds?
  var uncollectibleAt: Seconds?
  /// Paid from the customer's credit balance.
  var fromBalance: Int64 = 0
  /// Marked as paid, without a charge.
  var isPaidOutside = false
  /// Its number among all invoices: Stripe lists them by it, the newest first.
  var number = 0

  /// Every subscription that it bills.
  var subscriptions: Set<String> { Set(lines.compactMap(\.subscription) + [subscription].compactMap { $0 }) }
  /// Billed together: then Stripe names the subscriptions on the lines alone.
  var isShared: Bool { subscriptions.count > 1 }

  /// What it bills one subscription.
  func share(of id: String) -> ModelInvoice {
    var share = self
    share.lines = lines.filter { ($0.subscription ?? subscription) == id }
    share.subscription = id
    return share
  }

  var total: Int64 { lines.reduce(0) { $0 + $1.amount } }
  /// What is asked for in money.
  var amountDue: Int64 { max(0, total) - fromBalance }
}

struct ModelItem: Hashable, Sendable {
  /// A free time of its own within a subscription that goes on (`current_trial`).
  struct TrialOffer: Hashable, Sendable {
    var start: Seconds
    var end: Seconds
  }

  var id: String
  var price: String
  var quantity: Int
  let created: Seconds
  var trialOffer: TrialOffer?
}

struct ModelSubscription: Hashable, Sendable {
  /// What happens to invoices while their collection is paused.
  enum Pause: String, Hashable, Sendable, CaseIterable {
    case void, draft = "keep_as_draft", uncollectible = "mark_uncollectible"
  }

  var id: String
  var status: String
  var items: [ModelItem]
  var periodStart: Seconds
  var periodEnd: Seconds
  var cancelAtPeriodEnd = false
  var canceledAt: Seconds?
  var endedAt: Seconds?
  var trialEnd: Seconds?
  var pause: Pause?
  /// Why the status is `paused` (`status_details.paused.subscription.type`).
  var pausedBecause: String?
  var collectionMethod = "charge_automatically"
  var schedule: String?
  var latestInvoice: String
  var created: Seconds
  /// Invoice items that wait for the next invoice.
  var pending: [ModelLine] = []
  /// The item that each item took the place of. Stripe does not tell it; who judges a history may know.
  var predecessors: [String: String] = [:]

  /// How long a period is, by the prices.
  var interval: Seconds { items.first.map { Catalog.interval($0.price) } ?? month }

  /// The first of the items that followed each other in one place.
  func lineage(of item: String) -> String {
    var first = item
    while let former = predecessors[first] { first = former }
    return first
  }
}

struct ModelSession: Hashable, Sendable {
  var id: String
  var mode: String
  var status = "open"
  var paymentStatus = "unpaid"
  var customer: String?
  var payment: String?
  var subscription: String?
  var invoice: String?
  var link: String?
  var lines: [ModelLine]
  var created: Seconds
}

/// A PaymentIntent and its only charge.
struct ModelPayment: Hashable, Sendable {
  /// How far the money is while it is not taken.
  enum Stage: Hashable, Sendable { case failed, processing, held, released }

  var id: String
  var charge: String
  var amount: Int64
  var refunded: Int64 = 0
  var isPaid: Bool
  /// What it is while it is not paid.
  var stage = Stage.failed
  /// What was taken of a hold; nil for all of it.
  var captured: Int64?
  var paidAt: Seconds?
  var isDisputed = false
  var invoice: String?
  var created: Seconds

  /// What was really taken.
  var taken: Int64 { isPaid ? captured ?? amount : 0 }
}

struct ModelRefund: Hashable, Sendable {
  var id: String
  var payment: String
  var amount: Int64
  var status: String
  var created: Seconds
}

struct ModelDispute: Hashable, Sendable {
  var id: String
  var payment: String
  var status: String
  var created: Seconds
}

struct ModelCreditNote: Hashable, Sendable {
  var id: String
  var invoice: String
  var amount: Int64
  /// How much of it was returned outside Stripe; the rest went to the customer's balance.
  var outOfBand: Int64
  var created: Seconds
}

enum Catalog {
  /// A one-time price of the product that `price_a1` is of.
  static let fee = "price_fee"
  /// A one-time price of a product of its own.
  static let addOn = "price_c1"

  /// Which product each price is of.
  static let products = [
    "price_a1": "prod_a", "price_a2": "prod_a", "price_a1y": "prod_a", "price_b1": "prod_b", "price_b1y": "prod_b",
    "price_x1": "prod_x", fee: "prod_a", addOn: "prod_c",
  ]

  private static let amounts: [String: Int64] = [
    "price_a1": 1_000, "price_a2": 2_000, "price_a1y": 10_000, "price_b1": 4_000, "price_b1y": 40_000,
    "price_x1": 1_000, fee: 5_000, addOn: 3_000,
  ]

  static func amount(_ price: String) -> Int64 { amounts[price] ?? 1_000 }
  static func isKnown(_ price: String) -> Bool { products[price] != nil }
  static func isOneTime(_ price: String) -> Bool { price == fee || price == addOn }
  static func isYearly(_ price: String) -> Bool { price.hasSuffix("y") }
  static func interval(_ price: String) -> Seconds { isYearly(price) ? year : month }
}
