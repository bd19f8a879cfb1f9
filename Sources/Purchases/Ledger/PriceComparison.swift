import Foundation
import StripeAPI

extension Stripe.Subscription.Item {
  enum Comparison { case cheaper, alike, dearer }

  /// Compares the subscribed price with a charged one, per unit and time. A price that is unknown or not that simple counts
  /// as dearer. Differences within 15 % do not count, because months are not equally long.
  func comparedWith(_ entry: Ledger.Entry) -> Comparison {
    let days: Double? =
      switch interval {
      case "day": 1
      case "week": 7
      case "month": 365.0 / 12
      case "year": 365
      default: nil
      }
    guard let unitAmount, let days, let span = entry.span, span.isLong, entry.quantity > 0 else { return .dearer }
    let mine = Double(unitAmount) / (days * Double(max(1, intervalCount ?? 1)))
    let theirs = Double(entry.amount) / Double(entry.quantity) / (span.end.timeIntervalSince(span.start) / 86_400)
    if mine < theirs * 0.85 { return .cheaper }
    return mine > theirs * 1.15 ? .dearer : .alike
  }
}
