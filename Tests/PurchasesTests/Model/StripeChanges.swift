extension StripeModel {
  /// Applies a change to the purchase with that root, if it applies at all.
  mutating func apply(_ change: Change, to root: String) {
    switch change {
    case .moneyArrives, .moneyFails, .capture, .releaseHold: applyToSession(change, root)
    case .pay, .payOutside, .void, .markUncollectible: applyToInvoice(change, root)
    case .refund, .refundSucceeds, .refundFails, .creditOutside, .creditToBalance, .dispute, .disputeEscalates,
      .disputeWon, .disputeLost:
      applyToMoney(change, root)
    default: applyToSubscription(change, root)
    }
  }

  private mutating func applyToSession(_ change: Change, _ id: String) {
    guard let session = sessions[id], session.status == "complete", session.paymentStatus == "unpaid",
      let payment = session.payment, let stage = payments[payment]?.stage
    else { return }
    switch change {
    // A later attempt may bring what an earlier one did not.
    case .moneyArrives where stage == .processing || stage == .failed:
      take(payment, of: session)
      announce(payment: payment)
      announceInvoice(of: session)
      emit(session: id, "async_payment_succeeded")
    case .moneyFails where stage == .processing:
      payments[payment]?.stage = .failed
      emit(intent: payment, "payment_failed")
      emit(session: id, "async_payment_failed")
    case .capture(let part) where stage == .held:
      take(payment, of: session)
      let amount = payments[payment]?.amount ?? 0
      if part { payments[payment]?.captured = max(1, amount * 2 / 5) }
      // Of the session itself nothing is told any more.
      emit(charge: payment, "captured")
      emit(intent: payment, "succeeded")
      announceInvoice(of: session)
    case .releaseHold where stage == .held:
      payments[payment]?.stage = .released
      emit(intent: payment, "canceled")
      emit(charge: payment, "refunded")
    default: break
    }
  }

  private mutating func take(_ payment: String, of session: ModelSession) {
    payments[payment]?.isPaid = true
    payments[payment]?.paidAt = now
    sessions[session.id]?.paymentStatus = "paid"
    if let invoice = session.invoice { invoices[invoice]?.status = "paid" }
  }

  private mutating func announceInvoice(of session: ModelSession) {
    guard let invoice = session.invoice, let payment = session.payment else { return }
    emit(invoice: invoice, "paid")
    announce(invoicePayment: payment)
  }

  // MARK: Invoices

  /// The invoice that a one-time sale is, or the newest of a subscription that is not settled.
  private func unsettled(_ root: String) -> ModelInvoice? {
    invoices.values.filter { invoice in
      (invoice.id == root || invoice.subscription == root) && ["open", "uncollectible"].contains(invoice.status)
        && invoice.payment.map { payments[$0]?.stage != .processing } ?? true
    }
    .max { $0.number < $1.number }
  }

  private mutating func applyToInvoice(_ change: Change, _ root: String) {
    guard let invoice = unsettled(root) else { return }
    let subscription = invoice.subscription.flatMap { subscriptions[$0] }
    // A first invoice has changes of its own; after the end nobody takes any more care of what is open.
    if let subscription, ["incomplete", "incomplete_expired", "canceled"].contains(subscription.status) { return }
    switch change {
    case .pay: settle(invoice.id)
    case .payOutside:
      invoices[invoice.id]?.isPaidOutside = true
      invoices[invoice.id]?.status = "paid"
      invoices[invoice.id]?.nextAttempt = nil
      emit(invoice: invoice.id, "paid")
    case .void:
      invoices[invoice.id]?.status = "void"
      invoices[invoice.id]?.nextAttempt = nil
      emit(invoice: invoice.id, "voided")
    default:
      guard invoice.status == "open" else { return }
      invoices[invoice.id]?.status = "uncollectible"
      invoices[invoice.id]?.nextAttempt = nil
      emit(invoice: invoice.id, "marked_uncollectible")
    }
    guard let subscription, invoice.id == subscription.latestInvoice else { return }
    if ["past_due", "unpaid"].contains(subscription.status) {
      subscriptions[subscription.id]?.status = "active"
      emit(subscription: subscription.id, "updated")
    } else if subscription.status == "paused", invoices[invoice.id]?.status == "paid" {
      takeUp(subscription.id)
    }
  }

  /// A paused subscription is active again.
  mutating func takeUp(_ id: String) {
    subscriptions[id]?.status = "active"
    subscriptions[id]?.pausedBecause = nil
    emit(subscription: id, "resumed")
  }
}
