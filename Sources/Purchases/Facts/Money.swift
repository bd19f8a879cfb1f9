import Foundation
import Identity
package import StripeAPI

/// What is known of money that went back, for a set of payments.
package struct Reversals: Hashable {
  /// All of it was returned.
  var isFullyRefunded = false
  /// All of it is being returned, and that may still fail.
  var isRefundPending = false
  /// Some of it was returned.
  var hasReturns = false
  /// Disputes under which the money is withdrawn.
  var openDisputes: [Stripe.DisputeID] = []
  var lostDisputes: [Stripe.DisputeID] = []
  /// Fraud warnings that can still be acted on.
  var openWarnings: [Stripe.FraudWarningID] = []

  /// Lost in a dispute.
  var isLost: Bool { !lostDisputes.isEmpty }
}

extension Knowledge {
  /// What must be asked before returned money can be judged. A refund or dispute is only a hint; the charge has the absolute
  /// amounts. A charge that was seen before the refund's last change is asked for again.
  var moneyQuestions: [Question] {
    var questions: [Question] = []
    for refund in refunds {
      guard let charge = refund.charge else { continue }
      let refundSeen = asOf(FactKey(refund.id)) ?? .distantPast
      if let chargeSeen = asOf(FactKey(charge)) {
        if chargeSeen < refundSeen { questions.append(.charge(charge)) }
        if chargeSeen == refundSeen { questions += refundQuestions(charge) }
      } else {
        questions.append(.charge(charge))
      }
    }
    for charge in disputes.compactMap(\.charge) + fraudWarnings.compactMap(\.charge)
    where self[FactKey(charge)] == nil {
      questions.append(.charge(charge))
    }
    // A credit note names the refunds made with it. Otherwise those become known only when their own events arrive.
    for refund in creditNotes.flatMap(\.refunds) where self[FactKey(refund)] == nil {
      questions.append(.refund(refund))
    }
    questions += charges.flatMap(pendingRefundQuestions)
    questions += invoices.compactMap(creditNoteQuestion)
    return Self.unique(questions)
  }

  /// An invoice says how much of it was credited after payment; only the credit notes say whether that was money.
  private func creditNoteQuestion(_ invoice: Stripe.Invoice) -> Question? {
    guard let credited = invoice.creditedAfterPayment else { return nil }
    let known = creditNotes(of: invoice.id).filter { !$0.isVoid }.reduce(Int64(0)) { $0.addingSaturated($1.amount) }
    guard known < credited else { return nil }
    let list = FactKey.creditNotes(of: invoice.id)
    if let asked = asOf(list), asked >= asOf(FactKey(invoice.id)) ?? .distantPast { return nil }
    return .creditNotes(of: invoice.id)
  }

  /// A charge counts a refund as returned while the refund is still under way and may fail. So a charge alone never ends a
  /// license for good: the refunds that make up its amount must be known first.
  private func pendingRefundQuestions(_ charge: Stripe.Charge) -> [Question] {
    guard charge.isPaid, charge.isFullyRefunded else { return [] }
    let known = refunds.filter { $0.charge == charge.id && $0.stands }
    if known.reduce(Int64(0), { $0.addingSaturated($1.amount) }) >= charge.amountRefunded { return [] }
    let list = FactKey.refunds(of: charge.id)
    guard let asked = asOf(list), asked >= asOf(FactKey(charge.id)) ?? .distantPast else {
      return [.refunds(of: charge.id)]
    }
    guard case .refunds(_, let ids)? = self[list] else { return [] }
    return ids.filter { self[FactKey($0)] == nil }.map(Question.refund)
  }

  /// Within one second, only amounts tell whether a charge was seen before or after its refunds. It must show at least the
  /// amount refunded, and no more once a refund is known to have failed. If they disagree, either may be older, so both are
  /// asked for. What Stripe has answered about all of them stands.
  private func refundQuestions(_ id: Stripe.ChargeID) -> [Question] {
    guard let charge = charge(id) else { return [] }
    let own = refunds.filter { $0.charge == id }
    let standing = own.filter(\.stands)
    let sum = standing.reduce(Int64(0)) { $0.addingSaturated($1.amount) }
    let agrees = own.count == standing.count ? charge.amountRefunded >= sum : charge.amountRefunded == sum
    let keys = [FactKey(id)] + own.map { FactKey($0.id) }
    if agrees || keys.allSatisfy(hasFetched) { return [] }
    return [.charge(id)] + own.map { .refund($0.id) }
  }

  /// Judges what was paid for an invoice. Several payments may have paid it, and so may money outside Stripe; that goes back
  /// outside Stripe too, and then a credit note says so. All of it was returned when the sum of what went back equals what
  /// was paid.
  func reversals(of invoice: Stripe.Invoice) -> Reversals {
    reversals(of: invoice, paidBy: charges(paying: invoice), whole: invoice.amountPaid)
  }

  /// - Parameter paid: what was paid for it. If a hold was captured in part, the captured part.
  private func reversals(of invoice: Stripe.Invoice, paidBy charges: [Stripe.Charge], whole paid: Int64) -> Reversals {
    var result = reversals(on: charges)
    let outside = creditNotes(of: invoice.id).filter { !$0.isVoid }
      .reduce(Int64(0)) { $0.addingSaturated($1.outOfBandAmount ?? 0) }
    let taken = charges.filter(\.isPaid)
    let returned = taken.reduce(outside) { $0.addingSaturated($1.amountReturned) }
    result.hasReturns = returned > 0
    // An invoice whose amount says nothing more is judged by its charges alone.
    let whole = paid > 0 ? paid : outside > 0 ? invoice.total : 0
    guard whole > 0 else { return result }
    let unsettled = pendingAmount(on: taken)
    result.isFullyRefunded = returned.addingSaturated(-unsettled) >= whole
    result.isRefundPending = !result.isFullyRefunded && returned >= whole
    return result
  }

  /// Judges what was paid for a Checkout Session. Credit notes refer to the invoice that it may have made.
  func reversals(of session: Stripe.CheckoutSession, _ charges: [Stripe.Charge]) -> Reversals {
    guard let invoice = session.invoice.flatMap({ invoice($0) }) else { return reversals(on: charges) }
    let taken = charges.filter(\.isPaid).reduce(Int64(0)) { $0.addingSaturated($1.amountCaptured) }
    return reversals(of: invoice, paidBy: charges, whole: taken > 0 ? taken : invoice.amountPaid)
  }

  /// How much of the amount shown as returned is still under way.
  private func pendingAmount(on charges: [Stripe.Charge]) -> Int64 {
    refunds.filter { refund in refund.isUnderWay && charges.contains { $0.isConcerned(by: refund) } }
      .reduce(Int64(0)) { $0.addingSaturated($1.amount) }
  }

  /// Judges a set of charges by their absolute amounts. Amounts are never added up over events.
  func reversals(on charges: [Stripe.Charge]) -> Reversals {
    var result = Reversals()
    let paid = charges.filter(\.isPaid)
    result.hasReturns = paid.contains { $0.amountReturned > 0 }
    if !paid.isEmpty, paid.allSatisfy(\.isFullyRefunded) {
      if pendingAmount(on: paid) > 0 { result.isRefundPending = true } else { result.isFullyRefunded = true }
    }
    for dispute in disputes {
      let concerns = charges.contains { charge in
        charge.id == dispute.charge || (charge.paymentIntent != nil && charge.paymentIntent == dispute.paymentIntent)
      }
      guard concerns else { continue }
      switch dispute.stage {
      case .open: result.openDisputes.append(dispute.id)
      case .lost: result.lostDisputes.append(dispute.id)
      case .inquiry, .won: break
      }
    }
    for warning in fraudWarnings where warning.isActionable {
      // A full refund settles a warning, but Stripe updates the warning only later.
      let concerns = charges.contains { charge in
        !charge.isFullyRefunded
          && (charge.id == warning.charge
            || (charge.paymentIntent != nil && charge.paymentIntent == warning.paymentIntent))
      }
      if concerns { result.openWarnings.append(warning.id) }
    }
    return result
  }

  /// The charges that paid an invoice, as far as the facts link them.
  package func charges(paying invoice: Stripe.Invoice) -> [Stripe.Charge] {
    var payments = Set(invoice.paymentIntents)
    var chargeIDs: Set<Stripe.ChargeID> = []
    if let charge = invoice.charge { chargeIDs.insert(charge) }
    for payment in invoicePayments where payment.invoice == invoice.id {
      if let intent = payment.paymentIntent { payments.insert(intent) }
      if let charge = payment.charge { chargeIDs.insert(charge) }
    }
    return charges.filter { charge in
      chargeIDs.contains(charge.id) || charge.invoice == invoice.id
        || (charge.paymentIntent.map(payments.contains) ?? false)
    }
  }

  /// Asks for the payments behind charges that money went back on, if no known invoice claims them.
  var unlinkedPaymentQuestions: [Question] {
    var questions: [Question] = []
    let linked = Set(invoices.flatMap { charges(paying: $0) }.map(\.id))
    let concerned = Set(
      refunds.compactMap(\.charge) + disputes.compactMap(\.charge) + fraudWarnings.compactMap(\.charge))
    for charge in charges
    where !linked.contains(charge.id)
      && (charge.amountReturned > 0 || charge.isDisputed || concerned.contains(charge.id))
    {
      guard let payment = charge.paymentIntent else { continue }
      if let answer = invoicePayments(of: payment) {
        questions += answer.filter { invoice($0.invoice) == nil && !isMissing(FactKey($0.invoice)) }
          .map { .invoice($0.invoice) }
      } else if !isMissing(.invoicePayments(of: payment)) {
        questions.append(.invoicePayments(of: payment))
      }
    }
    return Self.unique(questions)
  }
}

extension Stripe.Charge {
  func isConcerned(by refund: Stripe.Refund) -> Bool {
    id == refund.charge || (paymentIntent != nil && paymentIntent == refund.paymentIntent)
  }
}
