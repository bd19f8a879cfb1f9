extension StripeModel {
  /// Applies a change to the purchase with that root, if it applies at all.
  mutating func apply(_ change: Change, to root: String) {
    switch change {
    case .moneyArrives, .moneyFails, .sessionExpires: applyToSession(change, root)
    case .pay, .void, .markUncollectible: applyToInvoice(change, root)
    case .refund, .refundSucceeds, .refundFails, .dispute, .disputeEscalates, .disputeWon, .disputeLost:
      applyToMoney(change, root)
    default: applyToSubscription(change, root)
    }
  }

  private mutating func applyToSession(_ change: Change, _ id: String) {
    guard let session = sessions[id], session.status == "complete", session.paymentStatus == "unpaid",
      let payment = session.payment
    else { return }
    switch change {
    case .moneyArrives:
      payments[payment]?.isPaid = true
      sessions[id]?.paymentStatus = "paid"
      announce(payment: payment)
      if let invoice = session.invoice {
        invoices[invoice]?.status = "paid"
        emit(invoice: invoice, "paid")
        announce(invoicePayment: payment)
      }
      emit(session: id, "async_payment_succeeded")
    case .moneyFails: emit(session: id, "async_payment_failed")
    default: break
    }
  }

  private mutating func applyToInvoice(_ change: Change, _ id: String) {
    guard let invoice = invoices[id], invoice.status == "open" || invoice.status == "uncollectible" else { return }
    switch change {
    case .pay: settle(id)
    case .void:
      invoices[id]?.status = "void"
      emit(invoice: id, "voided")
    default:
      invoices[id]?.status = "uncollectible"
      emit(invoice: id, "marked_uncollectible")
    }
  }

  // MARK: Money that moves back

  /// The payments of a purchase, newest first.
  func paid(by root: String) -> [ModelPayment] {
    payments.values
      .filter { payment in
        guard payment.isPaid else { return false }
        if sessions[root]?.payment == payment.id || payment.invoice == root { return true }
        return payment.invoice.flatMap { invoices[$0]?.subscription } == root
      }
      .sorted { ($1.created, $1.id) < ($0.created, $0.id) }
  }

  private mutating func applyToMoney(_ change: Change, _ root: String) {
    let paid = paid(by: root)
    let ids = Set(paid.map(\.id))
    switch change {
    case .refund(let index, let part, let pending):
      guard index < paid.count, paid[index].refunded < paid[index].amount else { return }
      refund(paid[index], part: part, pending: pending)
    case .refundSucceeds, .refundFails:
      guard
        let refund = refunds.values.filter({ ids.contains($0.payment) && $0.status != "failed" }).min(by: {
          $0.id < $1.id
        })
      else { return }
      if change == .refundFails {
        refunds[refund.id]?.status = "failed"
        payments[refund.payment]?.refunded -= refund.amount
        emit(refund: refund.id, "refund.failed")
      } else if refund.status == "pending" {
        refunds[refund.id]?.status = "succeeded"
        emit(refund: refund.id, "refund.updated")
      }
    case .dispute(let index, let inquiry):
      guard index < paid.count, !paid[index].isDisputed else { return }
      let id = newID("du")
      disputes[id] = ModelDispute(
        id: id, payment: paid[index].id, status: inquiry ? "warning_needs_response" : "needs_response", created: now)
      payments[paid[index].id]?.isDisputed = true
      emit(dispute: id, "created")
    default:
      guard
        let dispute = disputes.values.filter({
          ids.contains($0.payment) && !["won", "lost", "warning_closed"].contains($0.status)
        })
        .min(by: { $0.id < $1.id })
      else { return }
      let isInquiry = dispute.status.hasPrefix("warning")
      switch change {
      case .disputeEscalates:
        guard isInquiry else { return }
        disputes[dispute.id]?.status = "needs_response"
        emit(dispute: dispute.id, "updated")
      case .disputeWon:
        disputes[dispute.id]?.status = isInquiry ? "warning_closed" : "won"
        emit(dispute: dispute.id, "closed")
      default:
        guard !isInquiry else { return }
        disputes[dispute.id]?.status = "lost"
        emit(dispute: dispute.id, "closed")
      }
    }
  }

  private mutating func refund(_ payment: ModelPayment, part: Bool, pending: Bool) {
    let rest = payment.amount - payment.refunded
    let amount = part ? max(1, rest / 2) : rest
    let id = newID("re")
    refunds[id] = ModelRefund(
      id: id, payment: payment.id, amount: amount, status: pending ? "pending" : "succeeded", created: now)
    payments[payment.id]?.refunded += amount
    emit(charge: payment.id, "refunded")
    emit(refund: id, "refund.created")
  }
}
