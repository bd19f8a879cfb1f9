import LicenseKitAPI

@testable import Purchases

/// Whether what an invoice bills is in force at the time.
extension SubscriptionOracle {
  struct Force {
    var charges: Certainty
    var credits: Certainty
    static let none = Force(charges: .no, credits: .no)
  }

  /// - Parameter line: the line that is asked about, for the time it is of.
  func force(_ invoice: ModelInvoice, until end: Seconds, _ terms: Terms) -> Force {
    if invoice.status == "paid" {
      switch oracle.isKept(invoice, terms) {
      case .yes:
        // Paid when the subscription had ended: it is money for that time, and nobody promised to go on.
        let isLate = subscription.endedAt.map { (invoice.paidAt ?? 0) > $0 } ?? false
        return Force(charges: isLate ? .perhaps : .yes, credits: .yes)
      case .perhaps: return Force(charges: .perhaps, credits: .perhaps)
      // What a change gave back was given back by money that has gone: the former may be there again.
      case .no: return Force(charges: .no, credits: .perhaps)
      }
    }
    var charges = unpaid(invoice, until: end, terms)
    // Nothing is issued before the first money.
    charges = min(charges, base(terms, isOwed: invoice.status == "open" && status == "past_due"))
    // Until it is paid nobody has got the former time back.
    return Force(charges: charges, credits: charges == .no ? .no : .perhaps)
  }

  /// What goes on without being paid needs something that was paid before, or a trial that was licensed.
  private func base(_ terms: Terms, isOwed: Bool) -> Certainty {
    let paid = invoices.filter { invoice in
      invoice.status == "paid" && invoice.lines.contains { $0.item != nil && !$0.isTrial && !$0.isCredit }
    }
    if paid.contains(where: { oracle.isKept($0, terms) == .yes }) { return .yes }
    if !paid.isEmpty { return .perhaps }
    if subscription.trialEnd != nil, terms.trial { return isOwed ? .yes : .perhaps }
    // The vendor gave the first one away.
    return invoices.contains { ["void", "uncollectible"].contains($0.status) } && status == "active" ? .perhaps : .no
  }

  private func unpaid(_ invoice: ModelInvoice, until end: Seconds, _ terms: Terms) -> Certainty {
    // An older bill may be what is late.
    let isBehindAnother = invoices.contains {
      $0.number < invoice.number
        && (($0.status == "open" && (isUnderWay($0) || status == "active")) || $0.status == "draft"
          || ($0.status == "uncollectible" && $0.attempts > 0))
    }
    if isBehindAnother { return min(.perhaps, unpaidAlone(invoice, until: end, terms)) }
    return unpaidAlone(invoice, until: end, terms)
  }

  private func unpaidAlone(_ invoice: ModelInvoice, until end: Seconds, _ terms: Terms) -> Certainty {
    let isChange = invoice.lines.contains(where: \.isCredit)
    let due = due(invoice)
    let grace = Seconds(terms.graceDays) * day
    let lenient = max(grace, day)
    let afterwards = leniently(end, terms)
    let oldest = invoices.filter { isOwed($0) }.map { self.due($0) }.min() ?? due
    func within(_ certain: Seconds, _ possible: Seconds) -> Certainty {
      time < certain ? .yes : time < possible ? .perhaps : .no
    }
    switch (invoice.status, status) {
    case ("draft", "active"): return within(end, afterwards)
    case ("draft", "past_due"): return .perhaps
    case ("draft", _): return .no

    case ("void", "active"), ("void", "trialing"):
      // A voided change may have been given away, or taken back.
      return isChange ? .perhaps : within(end, afterwards)
    case ("void", _): return .perhaps

    case ("uncollectible", "active") where invoice.attempts == 0 && invoice.dueDate == nil && !isChange:
      return within(end, afterwards)
    case ("uncollectible", _) where invoice.attempts == 0: return .perhaps
    case ("uncollectible", _): return time < due + lenient ? .perhaps : .no

    case ("open", "active"):
      if invoice.dueDate != nil { return within(min(oldest, due) + grace, due + lenient) }
      if isUnderWay(invoice) { return within(min(end, due + 14 * day), afterwards) }
      // It was asked for and not paid, and Stripe calls the subscription active: later money may have come.
      return time < afterwards ? .perhaps : .no
    case ("open", "past_due"):
      if isUnderWay(invoice) || due > time { return .perhaps }
      return within(oldest + grace, chainDue(invoice) + lenient)
    case ("open", "paused") where subscription.pausedBecause != "final_payment_failure":
      return terms.onPause == .keep ? .perhaps : .no
    case ("open", _): return time < chainDue(invoice) + lenient ? .perhaps : .no
    default: return .no
    }
  }

  /// Until when a license may outlast the end of a period while nothing is wrong: the next invoice takes its time. A
  /// license without an expiry may go on as long as Stripe calls the subscription active and asks for nothing.
  func leniently(_ end: Seconds, _ terms: Terms) -> Seconds {
    let isSilent =
      ["active", "trialing"].contains(status) && time >= subscription.periodEnd
    // What the vendor lets be in a pause is let be, however long it takes.
    if status == "paused", subscription.pausedBecause == "pause_requested", terms.onPause == .keep { return .max }
    if isSilent, ![.subscription, .timeLimited, .trial].contains(terms.licenseType) { return .max }
    return end + max(Seconds(terms.graceDays) * day, day)
  }

  // MARK: What is owed, and since when

  /// From when an invoice could be paid, or by when it had to be.
  private func due(_ invoice: ModelInvoice) -> Seconds {
    invoice.dueDate ?? invoice.finalizedAt ?? invoice.created
  }

  func isUnderWay(_ invoice: ModelInvoice) -> Bool {
    let payment = invoice.payment.flatMap { oracle.stripe.payments[$0] }
    return payment.map { !$0.isPaid && $0.stage == .processing } ?? false
  }

  private func isOwed(_ invoice: ModelInvoice) -> Bool {
    switch invoice.status {
    case "open": !isUnderWay(invoice) && due(invoice) <= time
    case "uncollectible": invoice.attempts > 0
    default: false
    }
  }

  /// Renewals that follow one that was not paid do not begin the grace anew.
  private func chainDue(_ invoice: ModelInvoice) -> Seconds {
    var first = due(invoice)
    guard invoice.reason == "subscription_cycle" else { return first }
    for earlier in invoices.reversed() where earlier.number < invoice.number {
      guard earlier.reason == "subscription_cycle" else { continue }
      guard isOwed(earlier) else { break }
      first = min(first, due(earlier))
    }
    return first
  }
}
