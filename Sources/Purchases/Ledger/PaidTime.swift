package import Foundation
import Identity
package import StripeAPI

/// Computes what one lineage of a subscription is entitled to of one LicenseKit product at one moment. `docs/entitlement.md`
/// describes this computation over intervals.
///
/// The subscription's status says how to treat time that is not paid; it never stands in for payment.
package struct PaidTime {
  let lineage: Lineage
  /// What else the subscription sold: an item that was added in the middle of a period rests on that.
  package let others: [Lineage]
  package let subscription: Stripe.Subscription
  package let terms: Terms
  /// Whether the subscribed price gives the product under these terms.
  let isCurrent: Bool
  /// Whether a price gives the product.
  package let gives: (Stripe.PriceID?, Stripe.ProductID?) -> Bool
  package let now: Date

  /// A number of units that is granted until a moment, unless news comes.
  package struct Claim: Hashable {
    enum Basis: Hashable {
      /// By money that is there.
      case paid
      /// By the vendor: a voided invoice, a pause that lets service go on.
      case given
      case trial
      /// A change that was not billed yet rests on what is paid.
      case carried
      /// Money is on its way, or late within the grace.
      case awaited
      /// Between the end of the paid time and the bill for the next period, or within the grace.
      case outlasting
    }

    package let quantity: Int
    let basis: Basis
    package let until: Date
    /// The end of what is paid or due; an expiry is counted from here.
    let paidTo: Date
  }

  /// Why wanted units are not granted.
  enum Lapse: Hashable {
    /// Nothing was ever paid.
    case neverPaid
    /// What was paid has ended, and so has the grace.
    case late
    /// The money went back; `whole`: nothing else was ever paid.
    case returned(whole: Bool)
    /// It is going back.
    case returnPending
    /// It was lost in a dispute.
    case lost
  }

  package struct Finding: Hashable {
    var claims: [Claim] = []
    /// How many units are subscribed to.
    package var wanted = 0
    /// Nothing is known about some time after the last covered time.
    var hasGap = false
    /// The subscription is active, and nothing was heard of it since its paid time ended.
    var isSilent = false
    /// Why the claims cover fewer units than are wanted.
    var lapse: Lapse?
    /// The price whose terms hold for what is granted.
    package var price: SoldLine.Former?
    /// The end of what was sold, whatever became of its money.
    var soldThrough: Date?
    /// The end of the time that was covered before now.
    var lastEnd: Date?
    var nextChange: Date?

    var granted: Int { claims.map(\.quantity).max() ?? 0 }
  }

  /// How long before a license expires we check whether money is still on its way.
  static let ahead: TimeInterval = 6 * 3_600
  /// Periods that follow each other may be this far apart.
  private static let gap: TimeInterval = 3_600

  package var keeps: Bool { terms.onFullRefund == .keep }
  package var isRunning: Bool { !subscription.status.isTerminal }
  private var pause: Stripe.Subscription.Pause { subscription.pause(hasPaid: !lineage.pricesPaid.isEmpty) }

  package func find() -> Finding {
    let charges = Ledger.charges(among: lineage.entries, keepingReturned: keeps)
    let paid = charges.filter { $0.isPaid(keepingReturned: keeps) && $0.quantity > 0 && $0.span != nil }
    let mine = paid.filter { gives($0.price, $0.product) }
    var finding = Finding()
    finding.claims = tiers(of: mine, .paid)
    finding.soldThrough = lineage.entries
      .filter { $0.direction == .charge && $0.paidAt != nil && gives($0.price, $0.product) }
      .compactMap { $0.span?.end }.max()
    let covered = coverage(of: charges, paid)
    finding.lastEnd = covered.map(\.end).filter { $0 <= now }.max()
    finding.hasGap = finding.lastEnd.map { hasGap(after: $0, charges) } ?? false

    if let item = lineage.item, isCurrent {
      finding.wanted = item.quantity
      grant(item, charges, covered, mine, &finding)
    } else if let item = lineage.item, rests(item, on: covered, charges) {
      finding.claims = surplus(finding.claims, beside: item, mine)
    }
    finding.price = price(of: finding, mine)
    finding.nextChange = nextChange(finding, paid + charges.filter { $0.isChange && $0.isAwaited })
    return finding
  }

  /// The subscribed price, unless everything that is granted rests on another price that was paid.
  private func price(of finding: Finding, _ mine: [Ledger.Entry]) -> SoldLine.Former? {
    let present = mine.filter { $0.span?.contains(now) ?? false }
    let newest = present.last.map { SoldLine.Former(price: $0.price, product: $0.product) }
    guard let item = lineage.item, isCurrent else { return newest }
    let isOwn =
      finding.claims.isEmpty || finding.claims.contains { $0.basis != .paid }
      || present.contains { $0.price == item.price }
    return isOwn ? .init(price: item.price, product: item.product) : newest
  }

  // MARK: What is paid

  /// How many units are covered now, and how long each of them is. One item has one quantity at a time, so entries that
  /// overlap are one unit paid twice, not two units.
  private func tiers(of entries: [Ledger.Entry], _ basis: Claim.Basis) -> [Claim] {
    let present = entries.filter { $0.span?.contains(now) ?? false }
    return Set(present.map(\.quantity)).sorted().compactMap { quantity in
      let spans = entries.filter { $0.quantity >= quantity }.compactMap(\.span)
      return Self.end(of: spans, from: now).map { Claim(quantity: quantity, basis: basis, until: $0, paidTo: $0) }
    }
  }

  /// The end of what spans cover without a gap from a moment on.
  package static func end(of spans: [Span], from moment: Date) -> Date? {
    var end = spans.filter { $0.contains(moment) }.map(\.end).max()
    for span in spans.sorted(by: { $0.start < $1.start }) {
      guard let known = end else { return nil }
      if span.start <= known.addingTimeInterval(gap), span.end > known { end = span.end }
    }
    return end
  }

  /// Everything that covers the lineage, whatever its price. If the lineage was never billed, what covers the subscription.
  private func coverage(of charges: [Ledger.Entry], _ paid: [Ledger.Entry]) -> [Span] {
    let rest = others.flatMap { other in
      Ledger.charges(among: other.entries, keepingReturned: keeps)
        .filter { $0.isPaid(keepingReturned: keeps) && $0.quantity > 0 }.compactMap(\.span)
    }
    var spans = paid.compactMap(\.span)
    if !wasSold || isUnbilledBeside(paid) { spans += rest }
    // A trial is not paid for, so it does not outlive the subscription.
    if isRunning, terms.trial { spans += trials }
    guard isRunning, !(spans.isEmpty && rest.isEmpty) else { return spans }
    return spans + charges.filter(\.isWaived).compactMap(\.span)
  }

  /// Whether any time of the lineage was paid for, whatever became of the money.
  private var wasSold: Bool {
    lineage.entries.contains { $0.direction == .charge && $0.paidAt != nil && $0.quantity > 0 && $0.span != nil }
  }

  /// Whether the item was added after its predecessors' paid time had ended, and was never billed itself.
  private func isUnbilledBeside(_ paid: [Ledger.Entry]) -> Bool {
    guard let item = lineage.item, lineage.names.count > 1 else { return false }
    let isBilled = lineage.entries.contains { entry in
      if let named = entry.item { return named == item.id }
      return entry.price == item.price && entry.span?.start ?? entry.billed >= item.created ?? .distantPast
    }
    return !isBilled && !paid.contains { $0.span?.contains(now) ?? false }
  }

  private var trials: [Span] {
    var spans: [Span] = []
    if let end = subscription.trialEnd {
      spans.append(Span(start: subscription.trialStart ?? subscription.created, end: end))
    }
    guard let item = lineage.item else { return spans }
    if subscription.status == .trialing, let end = item.currentPeriodEnd {
      spans.append(Span(start: item.currentPeriodStart ?? subscription.created, end: end))
    }
    if let end = item.trialEnd {
      spans.append(Span(start: item.trialStart ?? item.currentPeriodStart ?? subscription.created, end: end))
    }
    return spans
  }

  // MARK: What is subscribed to

  private func grant(
    _ item: Stripe.Subscription.Item, _ charges: [Ledger.Entry], _ covered: [Span], _ mine: [Ledger.Entry],
    _ finding: inout Finding
  ) {
    func claim(_ basis: Claim.Basis, until: Date, paidTo: Date? = nil) {
      guard until > now, item.quantity > 0 else { return }
      finding.claims.append(
        Claim(quantity: item.quantity, basis: basis, until: until, paidTo: paidTo ?? until))
    }
    if isRunning, terms.trial, let end = Self.end(of: trials, from: now) { claim(.trial, until: end) }
    if isRunning, !covered.isEmpty {
      let waived = charges.filter { $0.isWaived && $0.price == item.price }
      if let end = Self.end(of: mine.compactMap(\.span) + waived.compactMap(\.span), from: now),
        waived.contains(where: { $0.span?.end ?? .distantPast > now })
      {
        claim(.given, until: end)
      }
      if let end = givenByPause(item, charges, finding.lastEnd) { claim(.given, until: end) }
    }
    guard finding.granted < item.quantity else { return }

    let billed = charges.filter { $0.price == item.price && $0.span?.contains(now) ?? false }
    if let lapse = lapse(byReturnsOf: billed, charges, finding, covered) {
      finding.lapse = lapse
      return
    }
    if !terms.trial, Self.end(of: trials, from: now) != nil {
      // Time that was paid before an unlicensed trial has its grace.
      if let lastEnd = finding.lastEnd, !lineage.pricesPaid.isEmpty {
        claim(.outlasting, until: lastEnd.addingTimeInterval(terms.grace), paidTo: lastEnd)
        finding.lapse = finding.claims.isEmpty ? .late : nil
      } else {
        finding.lapse = .neverPaid
      }
      return
    }
    guard !covered.isEmpty else {
      if trustsStripe(item, charges), let end = item.currentPeriodEnd {
        claim(.given, until: end)
        if finding.granted >= item.quantity {
          finding.soldThrough = finding.soldThrough ?? end
          return
        }
      }
      finding.lapse = wasSold ? .late : .neverPaid
      return
    }
    guard isRunning else {
      // Units that were never billed end with the subscription. Paid units go on, as what they were paid for.
      finding.lapse = .late
      return
    }
    var awaited = billed.filter(\.isAwaited)
    let carrier = Self.end(of: covered, from: now)
    if awaited.isEmpty, carrier == nil {
      awaited = charges.filter { $0.isAwaited && !$0.isChange && $0.span?.contains(now) ?? false }
    }
    if !awaited.isEmpty {
      finding.claims += claims(awaiting: awaited, item, charges, finding.lastEnd)
      // If this bill is late, a bill for a former price may still be on its way.
      let former = charges.filter {
        $0.isAwaited && !$0.isChange && $0.price != item.price && gives($0.price, $0.product)
          && $0.span?.contains(now) ?? false
      }
      if finding.granted < item.quantity, !former.isEmpty {
        finding.claims += claims(awaiting: former, item, charges, finding.lastEnd)
      }
    } else if let carrier {
      let kept = cheaperThan(item, charges)
      if kept < item.quantity {
        finding.claims.append(
          Claim(quantity: item.quantity - kept, basis: .carried, until: carrier, paidTo: carrier))
      } else {
        // The dearer price that was paid stands in for the subscribed one.
        finding.wanted = 0
        return
      }
    } else if trustsStripe(item, charges), let end = item.currentPeriodEnd, end > now {
      claim(.given, until: end)
    } else if let lastEnd = finding.lastEnd, !wasBilledInVain(item, before: lastEnd, charges) {
      claim(.outlasting, until: lastEnd.addingTimeInterval(slack), paidTo: lastEnd)
      if finding.granted < item.quantity, subscription.status == .active,
        mine.contains(where: { $0.price == item.price })
      {
        // Stripe calls the subscription active, and nothing is known to be late: the news of the next period may be lost.
        finding.isSilent = true
        claim(.outlasting, until: .distantFuture, paidTo: lastEnd)
      }
    }
    if finding.granted < item.quantity, finding.lapse == nil { finding.lapse = .late }
  }

  /// Whether the subscribed price was billed and not paid in the time that ended at `end`, or was free in a trial that is not
  /// licensed.
  private func wasBilledInVain(
    _ item: Stripe.Subscription.Item, before end: Date, _ charges: [Ledger.Entry]
  ) -> Bool {
    let own = charges.filter { $0.price == item.price && $0.span.map { $0.start < end && end <= $0.end } ?? false }
    if own.contains(where: { $0.isPaid(keepingReturned: keeps) || $0.isWaived }) { return false }
    return own.contains { $0.isAwaited || $0.isReturned }
      || (!terms.trial && item.trialEnd != nil && lineage.pricesPaid.isEmpty)
  }

  /// How long a license outlasts its paid time: the grace if Stripe says that money is late, at least a day while nothing is
  /// wrong, and nothing if Stripe has given up.
  var slack: TimeInterval {
    switch subscription.status {
    case .active, .trialing: terms.outlasting
    case .pastDue: terms.grace
    case .paused: pause == .asked ? terms.outlasting : 0
    case .incomplete, .incompleteExpired, .unpaid, .canceled, .unknown: 0
    }
  }

  /// A paused subscription has no periods, and one whose collection is paused has periods that nobody pays. If the vendor
  /// keeps service in a pause, it goes on month by month, so that an expiry seldom moves.
  private func givenByPause(
    _ item: Stripe.Subscription.Item, _ charges: [Ledger.Entry], _ lastEnd: Date?
  ) -> Date? {
    guard terms.onPause == .keep else { return nil }
    // What is late stays late in a pause.
    if charges.contains(where: { $0.isOwed && $0.span?.contains(now) ?? false }) { return nil }
    if subscription.isCollectionPaused { return subscription.status == .active ? item.currentPeriodEnd : nil }
    guard subscription.status == .paused, pause == .asked else { return nil }
    guard let lastEnd, lastEnd <= now else { return nil }
    let month: TimeInterval = 30 * 86_400
    let months = (now.timeIntervalSince(lastEnd) / month).rounded(.down) + 1
    return lastEnd.addingTimeInterval(months * month)
  }

  /// If nothing at all is known about the bills of a period, Stripe's word must do: the subscription is active, and its
  /// newest invoice is paid or there is none. This happens when a subscription has no invoices, or when an invoice's lines
  /// name other items.
  private func trustsStripe(_ item: Stripe.Subscription.Item, _ charges: [Ledger.Entry]) -> Bool {
    guard subscription.status == .active else { return false }
    let start = item.currentPeriodStart ?? .distantPast
    let end = item.currentPeriodEnd ?? .distantFuture
    let period = Span(start: start, end: end)
    let all = charges + others.flatMap(\.entries)
    return !all.contains { $0.direction == .charge && $0.span?.overlaps(period) ?? false }
      && (subscription.latestInvoice == nil || all.contains { $0.isPaid(keepingReturned: keeps) })
  }

  // MARK: Time

  private func nextChange(_ finding: Finding, _ entries: [Ledger.Entry]) -> Date? {
    var moments: [Date] = []
    for claim in finding.claims {
      // Its grace follows paid time, so nothing changes before the grace ends.
      let isFollowed = isRunning && isCurrent && claim.quantity <= finding.wanted && claim.basis != .awaited
      moments.append(isFollowed && claim.basis != .outlasting ? claim.until.addingTimeInterval(slack) : claim.until)
      if claim.basis == .awaited, claim.paidTo < claim.until {
        moments.append(claim.paidTo.addingTimeInterval(terms.outlasting - Self.ahead))
      }
    }
    moments += entries.compactMap { $0.isAwaited ? $0.underWayFrom : $0.span?.start }
    return moments.filter { $0 > now && $0 < .distantFuture }.min()
  }
}
