import Identity
import LicenseKitAPI
import StripeAPI

@testable import StripeIntegration

/// What a purchase must come to, told from the model's own state and not from any event: a second, simpler reading of the
/// rules.
struct Oracle {
  let stripe: StripeModel
  let offer: Offer

  /// Units that must be usable, and units that may be; all others must not.
  struct Verdict {
    var must: Set<String> = []
    var may: Set<String> = []
  }

  func verdict() -> Verdict {
    var verdict = Verdict()
    for session in stripe.sessions.values where session.mode == "payment" {
      judge(
        session.lines, root: session.id, isPaid: session.status == "complete" && session.paymentStatus == "paid",
        payment: session.payment, into: &verdict)
    }
    for invoice in stripe.invoices.values where invoice.subscription == nil {
      guard !stripe.sessions.values.contains(where: { $0.invoice == invoice.id }) else { continue }
      judge(invoice.lines, root: invoice.id, isPaid: invoice.status == "paid", payment: invoice.payment, into: &verdict)
    }
    for subscription in stripe.subscriptions.values { judge(subscription, into: &verdict) }
    return verdict
  }

  static func units(line: String, quantity: Int, _ terms: Terms) -> [String] {
    let count = terms.quantity == .perUnit ? quantity : min(1, quantity)
    return (0..<count).map { UnitKey(line: line, product: terms.product, ordinal: $0 + 1).description }
  }

  private enum Money { case kept, returned, disputed, lost }

  private func money(_ id: String?) -> Money {
    guard let payment = id.flatMap({ stripe.payments[$0] }) else { return .kept }
    let disputes = stripe.disputes.values.filter { $0.payment == payment.id }.map(\.status)
    if disputes.contains("lost") { return .lost }
    if payment.refunded == payment.amount { return .returned }
    return disputes.contains("needs_response") ? .disputed : .kept
  }

  private func judge(_ lines: [ModelLine], root: String, isPaid: Bool, payment: String?, into verdict: inout Verdict) {
    guard isPaid else { return }
    for line in lines {
      for terms in offer.terms(of: line.price) {
        switch money(payment) {
        case .lost: continue
        case .returned where terms.onFullRefund != .keep: continue
        case .disputed where terms.onDispute == .suspend: continue
        default: break
        }
        // Fully refunded and disputed at once, under terms that keep on one side only: left open.
        let isClear = money(payment) == .kept
        let units = Self.units(line: line.id, quantity: line.quantity, terms)
        let created = payment.flatMap { stripe.payments[$0]?.created } ?? 0
        if let days = terms.termDays, created + Seconds(days) * day <= stripe.now + month * 2 {
          verdict.may.formUnion(units)
        } else if isClear {
          verdict.must.formUnion(units)
        } else {
          verdict.may.formUnion(units)
        }
      }
    }
  }

  private func judge(_ s: ModelSubscription, into verdict: inout Verdict) {
    let invoices = stripe.invoices.values.filter { $0.subscription == s.id }
    let cycles = invoices.filter { $0.status == "paid" && $0.reason != "subscription_update" && $0.total > 0 }
      .sorted { ($0.created, $0.id) < ($1.created, $1.id) }
    let newest = cycles.last
    let hasTrouble = invoices.contains { money($0.payment) != .kept }
    for item in s.items {
      for terms in offer.terms(of: item.price) {
        let units = Self.units(line: item.id, quantity: item.quantity, terms)
        let grace = Seconds(terms.graceDays) * day
        let hadTrial = s.trialEnd != nil && terms.trial
        guard newest != nil || hadTrial else { continue }
        if let newest, money(newest.payment) == .lost { continue }
        if let newest, money(newest.payment) == .returned, terms.onFullRefund != .keep { continue }
        let paidThrough = max(
          newest?.lines.map(\.end).max() ?? 0, hadTrial && s.status != "canceled" ? s.trialEnd ?? 0 : 0)
        let isPaused = s.isPaused && terms.onPause == .suspend
        switch s.status {
        case "active", "trialing":
          if isPaused { continue }
          let isRunning = s.status == "active" || hadTrial
          let isCurrent =
            ["paid", "void"].contains(stripe.invoices[s.latestInvoice]?.status) && stripe.now < s.periodEnd
          if isRunning, isCurrent, !hasTrouble, stripe.now < paidThrough {
            verdict.must.formUnion(units)
          } else {
            verdict.may.formUnion(units)
          }
        case "past_due":
          if isPaused { continue }
          let due = stripe.invoices[s.latestInvoice]?.created ?? 0
          if stripe.now >= max(due, paidThrough) + grace { continue }
          if !hasTrouble, stripe.now < paidThrough + grace {
            verdict.must.formUnion(units)
          } else {
            verdict.may.formUnion(units)
          }
        case "canceled":
          guard terms.onCancel == .expire, stripe.now < paidThrough else { continue }
          if hasTrouble { verdict.may.formUnion(units) } else { verdict.must.formUnion(units) }
        case "paused":
          if terms.onPause == .keep { verdict.may.formUnion(units) }
        default: continue
        }
      }
    }
  }
}
