import Foundation
import Identity
import StripeAPI

/// What is known of money that moved back, for a set of payments.
struct MoneyBack: Hashable {
  /// All of it was returned.
  var isFullyRefunded = false
  /// All of it is being returned, and that may still fail.
  var isRefundPending = false
  /// Disputes under which the money is withdrawn.
  var openDisputes: [Stripe.DisputeID] = []
  var lostDisputes: [Stripe.DisputeID] = []
  /// Warnings of fraud about which something can still be done.
  var openWarnings: [Stripe.FraudWarningID] = []

  var isEmpty: Bool { self == MoneyBack() }
}

extension Knowledge {
  /// What must be asked before money that moved back can be judged: a refund or dispute is only a hint, the charge has
  /// the absolute amounts. A charge that was seen before the refund's last change is asked for again.
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
    // A credit note names the refunds made with it, which else are known only when their own events arrive.
    for refund in creditNotes.flatMap(\.refunds) where self[FactKey(refund)] == nil {
      questions.append(.refund(refund))
    }
    questions += charges.flatMap(pendingRefundQuestions)
    return Self.unique(questions)
  }

  /// A charge counts a refund as returned while it is still under way and may fail. What would end a license for good is
  /// not concluded from the charge alone: the refunds that make up its amount are known first.
  private func pendingRefundQuestions(_ charge: Stripe.Charge) -> [Question] {
    guard charge.isPaid, charge.isFullyRefunded else { return [] }
    let known = refunds.filter { $0.charge == charge.id && $0.status != "failed" && $0.status != "canceled" }
    if known.reduce(0, { $0 + $1.amount }) >= charge.amountRefunded { return [] }
    let list = FactKey.refunds(of: charge.id)
    guard let asked = asOf(list), asked >= asOf(FactKey(charge.id)) ?? .distantPast else {
      return [.refunds(of: charge.id)]
    }
    guard case .refunds(_, let ids)? = self[list] else { return [] }
    return ids.filter { self[FactKey($0)] == nil }.map(Question.refund)
  }

  /// Within one second only the amounts tell whether a charge was seen before or after what is known of its refunds: it
  /// has at least what was refunded, and no more once a refund is known to have failed. Where they disagree, either may
  /// be the older, so both are asked for; what Stripe has answered about all of them stands.
  private func refundQuestions(_ id: Stripe.ChargeID) -> [Question] {
    guard let charge = charge(id) else { return [] }
    let own = refunds.filter { $0.charge == id }
    let standing = own.filter { $0.status != "failed" && $0.status != "canceled" }
    let sum = standing.reduce(0) { $0 + $1.amount }
    let agrees = own.count == standing.count ? charge.amountRefunded >= sum : charge.amountRefunded == sum
    let keys = [FactKey(id)] + own.map { FactKey($0.id) }
    if agrees || keys.allSatisfy(hasFetched) { return [] }
    return [.charge(id)] + own.map { .refund($0.id) }
  }

  /// Judges what was paid for an invoice. Several payments may have paid it, and money outside Stripe: all of it was
  /// returned only when every part was.
  func moneyBack(of invoice: Stripe.Invoice) -> MoneyBack {
    let charges = charges(paying: invoice)
    var result = moneyBack(on: charges)
    let taken = charges.filter(\.isPaid).reduce(0) { $0 + $1.amountCaptured }
    if taken < invoice.amountPaid { (result.isFullyRefunded, result.isRefundPending) = (false, false) }
    return result
  }

  /// Judges a set of charges by their absolute amounts; amounts are never added up over events.
  func moneyBack(on charges: [Stripe.Charge]) -> MoneyBack {
    var result = MoneyBack()
    let paid = charges.filter(\.isPaid)
    if !paid.isEmpty, paid.allSatisfy(\.isFullyRefunded) {
      let unsettled = refunds.contains { refund in
        (refund.status == "pending" || refund.status == "requires_action")
          && paid.contains {
            $0.id == refund.charge || ($0.paymentIntent != nil && $0.paymentIntent == refund.paymentIntent)
          }
      }
      if unsettled { result.isRefundPending = true } else { result.isFullyRefunded = true }
    }
    for dispute in disputes {
      let concerns = charges.contains { charge in
        charge.id == dispute.charge || (charge.paymentIntent != nil && charge.paymentIntent == dispute.paymentIntent)
      }
      guard concerns else { continue }
      switch dispute.standing {
      case .open: result.openDisputes.append(dispute.id)
      case .lost: result.lostDisputes.append(dispute.id)
      case .inquiry, .won: break
      }
    }
    for warning in fraudWarnings where warning.isActionable {
      // A full refund answers a warning; Stripe says so of the warning only by and by.
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
  func charges(paying invoice: Stripe.Invoice) -> [Stripe.Charge] {
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

  /// Payments behind charges on which money moved back, that no known invoice claims.
  var unlinkedPaymentQuestions: [Question] {
    var questions: [Question] = []
    let linked = Set(invoices.flatMap { charges(paying: $0) }.map(\.id))
    let concerned = Set(
      refunds.compactMap(\.charge) + disputes.compactMap(\.charge) + fraudWarnings.compactMap(\.charge))
    for charge in charges
    where !linked.contains(charge.id)
      && (charge.amountRefunded > 0 || charge.isDisputed || concerned.contains(charge.id))
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
