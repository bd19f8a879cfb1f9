import Foundation
import StripeAPI

// Money that moved back.
extension PaidTime {
  /// Why units are not granted although their bill was paid.
  func lapse(
    byReturnsOf billed: [Ledger.Entry], _ charges: [Ledger.Entry], _ finding: Finding, _ covered: [Span]
  ) -> Lapse? {
    // The current period, or the newest one if nothing covers the present.
    var returned = billed.filter { $0.paidAt != nil && $0.isReturned && !$0.isPaid(keepingReturned: keeps) }
    if returned.isEmpty, finding.claims.isEmpty, !covered.contains(where: { $0.contains(now) }) {
      returned = charges.filter { entry in
        guard entry.paidAt != nil, entry.isReturned, !entry.isPaid(keepingReturned: keeps), let span = entry.span else {
          return false
        }
        let isNewest =
          covered.isEmpty || !charges.contains { $0.isAwaited && $0.span?.start ?? .distantPast >= span.end }
        return span.start <= now && span.end > finding.lastEnd ?? .distantPast && isNewest
      }
    }
    guard let newest = returned.max(by: { ($0.span?.start ?? $0.billed) < ($1.span?.start ?? $1.billed) }) else {
      return nil
    }
    if returned.contains(where: { $0.returned == .lost }) { return .lost }
    if returned.contains(where: { $0.returned == .pending }) { return .returnPending }
    return .returned(whole: isFirst(newest))
  }

  /// Whether a paid period is the first of the subscription. A period that begins much later is not, even if no earlier one
  /// is known: the subscription may be older than the installation.
  private func isFirst(_ entry: Ledger.Entry) -> Bool {
    let paid = (lineage.entries + others.flatMap(\.entries)).filter {
      $0.direction == .charge && $0.paidAt != nil && $0.amount > 0 && $0.span != nil
    }
    guard Set(paid.compactMap(\.invoice)).count <= 1 else { return false }
    if entry.isChange { return true }
    let beginning = max(subscription.created, subscription.trialEnd ?? subscription.created)
    return entry.span.map { $0.start <= beginning.addingTimeInterval(86_400) } ?? true
  }
}
