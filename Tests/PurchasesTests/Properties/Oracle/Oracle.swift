import Identity
import LicenseKitAPI

@testable import Purchases

/// What the buyers of a history are entitled to at a time, told from the model's own state and not from any event. Written
/// from Stripe's documentation and from what a mapping promises, by who has not read how the product decides.
///
/// It counts usable licenses by LicenseKit product, since an item of a subscription may be replaced by another, whose
/// license goes on under the former's name. Where reasonable people could differ a unit may be usable and need not be.
struct Oracle {
  let stripe: StripeModel
  let offer: Offer
  /// The time that is asked about; Stripe's state is the last one.
  let time: Seconds

  init(stripe: StripeModel, offer: Offer, at time: Seconds? = nil) {
    self.stripe = stripe
    self.offer = offer
    self.time = time ?? stripe.now
  }

  /// How many licenses of each LicenseKit product must be usable, and how many may be at the most.
  struct Verdict {
    private(set) var must: [String: Int] = [:]
    private(set) var most: [String: Int] = [:]

    mutating func add(_ product: String, must: Int, most: Int) {
      self.must[product, default: 0] += must
      self.most[product, default: 0] += max(must, most)
    }
  }

  func verdict() -> Verdict {
    var verdict = Verdict()
    for session in stripe.sessions.values where session.mode == "payment" { judge(session, into: &verdict) }
    for invoice in stripe.invoices.values where invoice.subscription == nil {
      guard !stripe.sessions.values.contains(where: { $0.invoice == invoice.id }) else { continue }
      judge(invoice, into: &verdict)
    }
    for subscription in stripe.subscriptions.values {
      SubscriptionOracle(self, subscription).judge(into: &verdict)
    }
    return verdict
  }

  static func units(_ quantity: Int, _ terms: Terms) -> Int {
    terms.quantity == .perUnit ? max(0, quantity) : min(1, max(0, quantity))
  }
}

/// How sure it is that something holds.
enum Certainty: Int, Comparable {
  case no, perhaps, yes
  static func < (a: Certainty, b: Certainty) -> Bool { a.rawValue < b.rawValue }
}
