/// Money that moves back.
extension StripeModel {
  /// The payments of a purchase, newest first.
  func paid(by root: String) -> [ModelPayment] {
    payments.values
      .filter { payment in
        guard payment.isPaid else { return false }
        if sessions[root]?.payment == payment.id || payment.invoice == root { return true }
        return payment.invoice.flatMap { invoices[$0] }?.subscriptions.contains(root) ?? false
      }
      .sorted { ($1.created, $1.id) < ($0.created, $0.id) }
  }

  mutating func applyToMoney(_ change: Change, _ root: String) {
    let paid = paid(by: root)
    switch change {
    case .refund(let index, let part, let pending):
      guard index < paid.count, rest(of: paid[index]) > 0 else { return }
      refund(paid[index], part: part, pending: pending)
    case .refundSucceeds, .refundFails: applyToRefund(change, Set(paid.map(\.id)))
    case .creditOutside(let part): credit(root, isOutside: true, part: part)
    case .creditToBalance: credit(root, isOutside: false, part: true)
    case .dispute(let index, let inquiry):
      guard index < paid.count, !paid[index].isDisputed else { return }
      let id = newID("du")
      disputes[id] = ModelDispute(
        id: id, payment: paid[index].id, status: inquiry ? "warning_needs_response" : "needs_response", created: now)
      payments[paid[index].id]?.isDisputed = true
      emit(dispute: id, "created")
    default: applyToDispute(change, Set(paid.map(\.id)))
    }
  }

  /// What has not been given back of a payment in one way or another.
  private func rest(of payment: ModelPayment) -> Int64 {
    let outside = payment.invoice.map { returnedOutside($0) } ?? 0
    return payment.taken - payment.refunded - outside
  }

  /// What was given back of an invoice outside Stripe.
  func returnedOutside(_ invoice: String) -> Int64 {
    creditNotes.values.filter { $0.invoice == invoice }.reduce(0) { $0 + $1.outOfBand }
  }

  private mutating func applyToRefund(_ change: Change, _ payments: Set<String>) {
    guard
      let refund = refunds.values.filter({ payments.contains($0.payment) && $0.status != "failed" })
        .min(by: { $0.id < $1.id })
    else { return }
    if change == .refundFails {
      refunds[refund.id]?.status = "failed"
      self.payments[refund.payment]?.refunded -= refund.amount
      emit(refund: refund.id, "refund.failed")
    } else if refund.status == "pending" {
      refunds[refund.id]?.status = "succeeded"
      emit(refund: refund.id, "refund.updated")
    }
  }

  private mutating func applyToDispute(_ change: Change, _ payments: Set<String>) {
    guard
      let dispute = disputes.values.filter({
        payments.contains($0.payment) && !["won", "lost", "warning_closed"].contains($0.status)
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

  private mutating func refund(_ payment: ModelPayment, part: Bool, pending: Bool) {
    let rest = self.rest(of: payment)
    let amount = part ? max(1, rest / 2) : rest
    let id = newID("re")
    refunds[id] = ModelRefund(
      id: id, payment: payment.id, amount: amount, status: pending ? "pending" : "succeeded", created: now)
    payments[payment.id]?.refunded += amount
    emit(charge: payment.id, "refunded")
    emit(refund: id, "refund.created")
  }

  private mutating func credit(_ root: String, isOutside: Bool, part: Bool) {
    let owner = sessions[root]?.invoice ?? root
    let newest = invoices.values
      .filter {
        ($0.id == owner || $0.subscriptions.contains(owner)) && $0.status == "paid" && $0.amountDue > 0
      }
      .max { $0.number < $1.number }
    guard let newest else { return }
    let credited = creditNotes.values.filter { $0.invoice == newest.id }.reduce(0) { $0 + $1.amount }
    let refunded = newest.payment.flatMap { payments[$0]?.refunded } ?? 0
    let taken = newest.payment.flatMap { payments[$0]?.taken } ?? newest.amountDue
    let rest = taken - credited - refunded
    guard rest > 0 else { return }
    let amount = part ? max(1, rest / 2) : rest
    let id = newID("cn")
    creditNotes[id] = ModelCreditNote(
      id: id, invoice: newest.id, amount: amount, outOfBand: isOutside ? amount : 0, created: now)
    if !isOutside { balance += amount }
    emit(creditNote: id, "created")
    emit(invoice: newest.id, "updated")
  }
}
