import Foundation
package import StripeAPI

// Changes that nothing was billed for.
extension PaidTime {
  /// Whether the subscribed price has neither paid time nor a bill of its own now, so that it replaces what is paid.
  func rests(_ item: Stripe.Subscription.Item, on covered: [Span], _ charges: [Ledger.Entry]) -> Bool {
    guard Self.end(of: covered, from: now) != nil, isRunning else { return false }
    return !charges.contains { entry in
      entry.price == item.price && entry.span?.contains(now) ?? false && !entry.isWaived
    }
  }

  /// The paid units of a former price that remain beside the item that replaced them. Only a price that is dearer, or cannot
  /// be compared, replaces them; otherwise, what is paid and not credited stays until it ends.
  package func surplus(
    _ claims: [Claim], beside item: Stripe.Subscription.Item, _ mine: [Ledger.Entry]
  ) -> [Claim] {
    let present = mine.filter { $0.span?.contains(now) ?? false }
    guard present.allSatisfy({ item.comparedWith($0) == .dearer }) else { return claims }
    return claims.compactMap { claim in
      claim.quantity > item.quantity
        ? Claim(
          quantity: claim.quantity - item.quantity, basis: claim.basis, until: claim.until, paidTo: claim.paidTo) : nil
    }
  }

  /// How many paid units of a dearer price stand in for the subscribed one.
  func cheaperThan(_ item: Stripe.Subscription.Item, _ charges: [Ledger.Entry]) -> Int {
    charges.filter { entry in
      entry.isPaid(keepingReturned: keeps) && entry.price != item.price && entry.span?.contains(now) ?? false
        && item.comparedWith(entry) == .cheaper
    }.map(\.quantity).max() ?? 0
  }
}
