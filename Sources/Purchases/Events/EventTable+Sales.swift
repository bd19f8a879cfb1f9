import StripeAPI

extension EventTable {
  static let sessions: [EventRow] = [
    .learn(
      "checkout.session.completed", .session, looks: .always, sync: .first, says: "was completed",
      does: """
        a paid one-time session is fulfilled; an unpaid one waits for its payment; one that starts a subscription leads to it
        """),
    .learn(
      "checkout.session.async_payment_succeeded", .session, looks: .always, sync: .first,
      says: "was paid, later than it was completed",
      does: "a delayed payment arrived: fulfilled"),
    .learn(
      "checkout.session.async_payment_failed", .failedSession, looks: .always, sync: .first, says: "failed",
      does: "the purchase ends; nothing was sold. Should the same session be paid after all, it is fulfilled"),
    .learn(
      "checkout.session.expired", .session, looks: .always, sync: .first, says: "expired",
      does: "the purchase ends; nothing was sold"),
  ]

  static let subscriptions: [EventRow] = [
    .learn(
      "customer.subscription.created", .subscription, looks: .always, sync: .first, says: "began", does: state),
    .learn(
      "customer.subscription.updated", .subscription, looks: .always, sync: .first, says: "was changed", does: state),
    .learn(
      "customer.subscription.deleted", .subscription, looks: .always, sync: .first, says: "ended",
      does: "canceled: what `on_cancel` says"),
    .learn(
      "customer.subscription.paused", .subscription, looks: .always, sync: .first, says: "was paused",
      does: "what `on_pause` says"),
    .learn(
      "customer.subscription.resumed", .subscription, looks: .always, sync: .first, says: "was resumed",
      does: "licenses come back"),
    .learn(
      "customer.subscription.pending_update_applied", .subscription, looks: .always, sync: .first,
      says: "was changed as was planned",
      does: "as `updated`"),
    .learn(
      "customer.subscription.pending_update_expired", .subscription, looks: .ifKnown, sync: .second,
      note: { _, _ in EventNote("A change of the subscription was dropped, since its payment did not come.") },
      does: "noted: the change was dropped. The subscription goes on as it was"),
    .learn(
      "customer.subscription.trial_will_end", .subscription, looks: .ifKnown, sync: .second, note: EventNote.trialEnds,
      does: "noted; licenses do not change before the trial ends"),
  ]

  private static let state = """
    status, items, quantities, period, trial, pause and cancellation are read from it: see [Subscriptions](#subscriptions)
    """
}

extension EventNote {
  fileprivate static func trialEnds(_: StripeEvent, _ snapshot: Snapshot) -> EventNote? {
    guard case .subscription(let subscription) = snapshot else { return nil }
    return EventNote(
      "The trial ends soon.",
      subscription.trialEnd.map { "It ends on \(day($0)). Licenses do not change before that." })
  }
}
