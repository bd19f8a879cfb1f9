import JSON

/// Why a subscription is `paused` (Stripe types of 2026-09-30, `status_details.paused.subscription.type`).
enum PauseCause: String {
  case requested = "pause_requested"
  case trialEnd = "trial_end_without_payment_method"
  case firstPaymentFailure = "first_payment_failure"
  case finalPaymentFailure = "final_payment_failure"
  case system
}

/// How a subscription that is `paused` is resumed.
struct Resumption {
  /// False: the billing date stays, and the rest of its period is charged as a proration.
  var restartsPeriod = true
  var prorating = Prorating.pending
  /// `resume_on_payment_success`: `paused` until the invoice is paid.
  var waitsForPayment = false
}

extension Tenant {
  /// Pauses collection: the status stays, only `customer.subscription.updated` comes.
  func pauseCollection(_ id: String, behavior: String, resumesAt: Int64?) {
    update(.subscription, id, event: "customer.subscription.updated") {
      edit(.subscription, id) {
        $0["pause_collection"] = object(["behavior": .string(behavior), "resumes_at": int(resumesAt)])
      }
    }
    if let resumesAt { plan(.pauseResumes, id, at: resumesAt) }
  }

  func resumeCollection(_ id: String) {
    update(.subscription, id, event: "customer.subscription.updated") {
      edit(.subscription, id) { $0["pause_collection"] = .some(.null) }
    }
  }

  /// The subscription itself stops: status `paused`, no more periods and invoices. `customer.subscription.paused`.
  ///
  /// - Parameter credit: what happens with the paid time that was not used.
  func pause(_ id: String, _ cause: PauseCause, credit: Prorating = .none) {
    guard let subscription = find(.subscription, id),
      !["paused", "canceled", "incomplete_expired"].contains(subscription.text("status") ?? "")
    else { return }
    let lines = credit == .none ? [] : items(id).compactMap(unusedTime)
    edit(.subscription, id) {
      $0.merge(["status": "paused", "_pause_cause": .string(cause.rawValue), "_paused_at": .integer(now)])
    }
    if credit == .invoice, !lines.isEmpty {
      let invoice = createInvoice(
        customer: subscription.text("customer"), subscription: id, reason: "subscription_update", lines: lines)
      edit(.subscription, id) { $0["latest_invoice"] = .string(invoice) }
      emit("customer.subscription.paused", .subscription, id)
      finalizeInvoice(invoice)
    } else {
      keepPending(lines, of: id)
      emit("customer.subscription.paused", .subscription, id)
    }
  }

  /// Wakes a subscription that is `paused`: an invoice, and `customer.subscription.resumed` at once or when it is paid.
  func resumePaused(_ id: String, _ how: Resumption = Resumption()) {
    guard find(.subscription, id)?.text("status") == "paused" else { return }
    edit(.subscription, id) { $0["_needs_method"] = false }
    let lines = items(id).compactMap { resumed($0, how) }
    let due = takePending(of: id) + (how.restartsPeriod || how.prorating != .none ? lines : [])
    if !due.isEmpty {
      let invoice = createInvoice(
        customer: find(.subscription, id)?.text("customer"), subscription: id,
        reason: how.restartsPeriod ? "subscription_cycle" : "subscription_update", lines: due)
      edit(.subscription, id) {
        $0.merge(["latest_invoice": .string(invoice), "_resuming": flag(how.waitsForPayment)])
      }
      finalizeInvoice(invoice)
      if how.waitsForPayment {
        attemptInvoice(invoice)
        if find(.invoice, invoice)?.text("status") == "paid" { wake(id) }
      } else {
        if find(.subscription, id)?.bool("_fails") != true { attemptInvoice(invoice) }
        wake(id)
        if find(.invoice, invoice)?.text("status") == "open" { attemptInvoice(invoice) }
      }
    } else {
      wake(id)
    }
    planPeriodEnd(id)
  }

  /// The period that an item has from now on, and the line for it.
  private func resumed(_ item: Fields, _ how: Resumption) -> InvoiceLineDraft? {
    guard let id = item.text("id"), let price = item.text("_price") else { return nil }
    if how.restartsPeriod {
      edit(.subscriptionItem, id) {
        $0.merge(["_period_start": .integer(now), "_period_end": .integer(endOfPeriod(price, from: now))])
      }
      return find(.subscriptionItem, id).map { recurringLine($0, subscription: $0.text("subscription") ?? "") }
    }
    var (start, end) = (item.number("_period_start") ?? now, item.number("_period_end") ?? now)
    while end <= now { (start, end) = (end, endOfPeriod(price, from: end)) }
    edit(.subscriptionItem, id) { $0.merge(["_period_start": .integer(start), "_period_end": .integer(end)]) }
    return find(.subscriptionItem, id).flatMap(remainingTime)
  }

  /// From `paused` to `active`.
  func wake(_ id: String) {
    guard find(.subscription, id)?.text("status") == "paused" else { return }
    edit(.subscription, id) {
      $0.merge(["status": "active", "_pause_cause": .null, "_paused_at": .null, "_resuming": false])
    }
    emit("customer.subscription.resumed", .subscription, id)
  }
}
