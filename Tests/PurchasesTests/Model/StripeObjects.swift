import JSON

/// Seconds since 1970, as Stripe tells time.
typealias Seconds = Int64

let day: Seconds = 86_400
let month: Seconds = 30 * day

/// The two forms in which Stripe tells the same object: before and since 2025-03-31.
enum Shape: String, Hashable, Sendable, CaseIterable { case old, new }

struct ModelLine: Hashable, Sendable {
  var id: String
  var price: String
  var quantity: Int
  var amount: Int64
  /// `si_…` for a line that bills a subscription's item.
  var item: String?
  var isProration = false
  var start: Seconds
  var end: Seconds
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
  var total: Int64 { lines.reduce(0) { $0 + $1.amount } }
}

struct ModelItem: Hashable, Sendable {
  var id: String
  var price: String
  var quantity: Int
}

struct ModelSubscription: Hashable, Sendable {
  var id: String
  var status: String
  var items: [ModelItem]
  var periodStart: Seconds
  var periodEnd: Seconds
  var cancelAtPeriodEnd = false
  var canceledAt: Seconds?
  var endedAt: Seconds?
  var trialEnd: Seconds?
  var isPaused = false
  var latestInvoice: String
  var created: Seconds
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
  var id: String
  var charge: String
  var amount: Int64
  var refunded: Int64 = 0
  var isPaid: Bool
  var isDisputed = false
  var invoice: String?
  var created: Seconds
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

enum Catalog {
  /// Which product each price is of.
  static let products = ["price_a1": "prod_a", "price_a2": "prod_a", "price_b1": "prod_b", "price_x1": "prod_x"]
}
