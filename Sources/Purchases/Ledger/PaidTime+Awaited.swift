import Foundation
import StripeAPI

// Money that is still to come.
extension PaidTime {
  /// What money that is still to come grants.
  ///
  /// The grace for a late bill of a period begins when the bill was due, or when the time paid before it ends, if that is
  /// later. Later bills do not restart it. The bill of a change has its own grace; what was paid before is a claim of its
  /// own.
  func claims(
    awaiting awaited: [Ledger.Entry], _ item: Stripe.Subscription.Item, _ charges: [Ledger.Entry], _ lastEnd: Date?
  ) -> [Claim] {
    if subscription.status == .unpaid { return [] }
    let quantity = min(awaited.map(\.quantity).max() ?? 0, item.quantity)
    guard quantity > 0, let end = awaited.compactMap({ $0.span?.end }).max() else { return [] }
    let isChange = awaited.allSatisfy(\.isChange)
    // A card fails at once, and the subscription says so a moment later. A change that is still open after that is a bank
    // debit.
    if isChange, let begins = awaited.map(\.underWayFrom).max(), begins > now, !awaited.contains(where: \.isOwed) {
      return []
    }
    // Later bills for another time do not make these late.
    let newest = awaited.compactMap { $0.span?.start }.max() ?? now
    let periods =
      isChange
      ? awaited
      : charges.filter { entry in
        guard entry.isAwaited, !entry.isChange, let span = entry.span else { return false }
        return span.start <= newest && span.end > lastEnd ?? .distantPast
      }
    let isOwed = periods.contains(where: \.isOwed)
    guard var late = periods.compactMap(\.lateFrom).min() else {
      // These bills are drafts: they never become late by themselves.
      let turn = (isChange ? nil : lastEnd)?.addingTimeInterval(terms.outlasting - Self.ahead)
      let paidTo = turn.map { now < $0 ? lastEnd ?? end : end } ?? end
      return [Claim(quantity: quantity, basis: .awaited, until: end.addingTimeInterval(slack), paidTo: paidTo)]
    }
    // If a whole period lies between the paid time and the oldest bill, an older bill is missing. It was due when the paid
    // time ended.
    if isOwed, !isChange, let lastEnd, hasGap(after: lastEnd, charges) { late = lastEnd }
    // Time that was paid before the bill postpones its grace; other paid time does not.
    let begins = periods.compactMap { $0.span?.start }.min() ?? .distantFuture
    let lastEnd = lastEnd.map { min($0, max(begins, late)) }
    let anchor = isChange ? late : max(late, lastEnd ?? .distantPast)
    let until = anchor.addingTimeInterval(slack)
    guard until > now else { return [] }
    let paidTo: Date
    if isOwed {
      // An expiry is counted from here. The hour that Stripe takes to make an invoice must not move it.
      paidTo = lastEnd.map { !isChange && late <= $0.addingTimeInterval(86_400) ? $0 : late } ?? late
    } else if let lastEnd, !isChange, now < lastEnd.addingTimeInterval(terms.outlasting - Self.ahead) {
      paidTo = lastEnd
    } else {
      paidTo = min(end, anchor)
    }
    return [Claim(quantity: quantity, basis: .awaited, until: until, paidTo: paidTo)]
  }

  /// Whether nothing is known about the time right after a moment.
  func hasGap(after moment: Date, _ charges: [Ledger.Entry]) -> Bool {
    let next = charges.filter { !$0.isChange && $0.coverage != .void }.compactMap(\.span).filter { $0.end > moment }
      .map(\.start).min()
    return next.map { $0 > moment.addingTimeInterval(86_400) } ?? false
  }
}

extension Ledger.Entry {
  /// When an open bill for a change begins to count as on its way; until then Stripe is only trying it.
  var underWayFrom: Date { billed.addingTimeInterval(3_600) }
}
