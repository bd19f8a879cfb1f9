import Identity
import LicenseKitAPI

@testable import Purchases

/// One subscription at one time.
struct SubscriptionOracle {
  let oracle: Oracle
  let subscription: ModelSubscription
  /// In the order they were made.
  let invoices: [ModelInvoice]

  init(_ oracle: Oracle, _ subscription: ModelSubscription) {
    self.oracle = oracle
    self.subscription = subscription
    invoices = oracle.stripe.invoices.values.filter { $0.subscriptions.contains(subscription.id) }
      .map { $0.share(of: subscription.id) }.sorted { $0.number < $1.number }
  }

  var time: Seconds { oracle.time }
  var status: String { subscription.status }
  var isRunning: Bool { ["active", "trialing", "past_due"].contains(status) }

  func judge(into verdict: inout Oracle.Verdict) {
    for lineage in lineages {
      let prices = prices(of: lineage)
      let products = Set(prices.flatMap { oracle.offer.terms(of: $0) }.map(\.product.rawValue))
      for product in products.sorted() {
        let (must, most) = PaidTime(self, lineage, product).units()
        verdict.add(product, must: must, most: most)
      }
    }
    judgeOneTimeLines(into: &verdict)
  }

  // MARK: Items in the place of others

  func lineage(_ item: String) -> String { subscription.lineage(of: item) }

  private var lineages: [String] {
    Set((subscription.items.map(\.id) + invoices.flatMap(\.lines).compactMap(\.item)).map { lineage($0) }).sorted()
  }

  func prices(of lineage: String) -> Set<String> {
    let billed = invoices.flatMap(\.lines).filter { $0.item.map { self.lineage($0) } == lineage }.map(\.price)
    return Set(billed + subscription.items.filter { self.lineage($0.id) == lineage }.map(\.price))
  }

  // MARK: What holds for the whole

  /// Whether anything of the subscription may be usable under these terms.
  func gate(_ terms: Terms) -> Certainty {
    var gate = Certainty.yes
    for dispute in oracle.stripe.disputes.values where invoices.contains(where: { $0.payment == dispute.payment }) {
      switch dispute.status {
      case "needs_response": if terms.onDispute == .suspend { return .no }
      case "lost": gate = min(gate, afterLosing(dispute))
      default: break
      }
    }
    switch status {
    case "incomplete", "incomplete_expired": return .no
    case "canceled":
      if terms.onCancel != .expire { return .no }
      // Stripe leaves the pause on what has ended.
      if subscription.pause != nil, terms.onPause == .suspend { gate = min(gate, .perhaps) }
    case "paused": gate = min(gate, whilePaused(terms))
    default: if subscription.pause != nil, terms.onPause == .suspend { return .no }
    }
    return gate
  }

  /// A lost dispute ends a subscription, unless something was paid since it was made.
  private func afterLosing(_ dispute: ModelDispute) -> Certainty {
    let later = invoices.filter { $0.status == "paid" && $0.payment != dispute.payment && $0.total > 0 }
    let since = later.filter { ($0.paidAt ?? 0) > dispute.created }
    let isReal = since.contains { invoice in
      invoice.payment != nil && oracle.dispute(invoice.payment) != .lost
        && !oracle.isReturned(invoice.payment, of: invoice.id)
    }
    if isReal { return .yes }
    // In the same second, without a payment that Stripe shows, or paid and returned: either is sensible.
    return later.contains { ($0.paidAt ?? 0) >= dispute.created } ? .perhaps : .no
  }

  private func whilePaused(_ terms: Terms) -> Certainty {
    switch subscription.pausedBecause {
    // As the end of dunning: what was paid goes on. As a pause that the vendor's settings ask for, it need not.
    case "final_payment_failure": terms.onPause == .keep ? .yes : .perhaps
    // As the end of the trial: over. Something else that was paid may go on.
    case "trial_end_without_payment_method": .perhaps
    default: terms.onPause == .keep ? .yes : .no
    }
  }

  // MARK: One-time prices beside it

  private func judgeOneTimeLines(into verdict: inout Oracle.Verdict) {
    let itemProducts = Set(
      (subscription.items.map(\.price) + invoices.flatMap(\.lines).filter { $0.item != nil }.map(\.price))
        .compactMap { Catalog.products[$0] })
    for invoice in invoices where invoice.status == "paid" {
      for line in invoice.lines where line.item == nil {
        for terms in oracle.offer.terms(of: line.price) {
          let units = Oracle.units(line.quantity, terms)
          var certainty = oracle.sold(
            terms, payment: invoice.payment, invoice: invoice.id, paidAt: invoice.paidAt ?? invoice.created)
          // The fee of what the subscription is to is no license of its own. Whether a mapping to a policy that never
          // ends meant one can be argued.
          if Catalog.products[line.price].map(itemProducts.contains) == true {
            // What it is a fee of may have come later.
            let isOfThen = invoices.contains { earlier in
              earlier.number <= invoice.number
                && earlier.lines.contains {
                  $0.item != nil && Catalog.products[$0.price] == Catalog.products[line.price]
                }
            }
            certainty = isOfThen && terms.licenseType == .subscription ? .no : min(certainty, .perhaps)
          }
          // A dispute about another payment of the same purchase, or money of it that was kept.
          if gate(terms) != .yes || invoice.fromBalance > 0 { certainty = min(certainty, .perhaps) }
          let isSold = certainty == .yes
          // A dispute of another payment may withhold it; its own withholds it above.
          verdict.add(terms.product.rawValue, must: isSold ? units : 0, most: certainty == .no ? 0 : units)
        }
      }
    }
  }
}
