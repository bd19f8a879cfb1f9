import StripeAPI

/// Which events event sync looks for: those of `docs/events.md` that have an effect, except for those about the installation
/// itself. An app that may read events is installed, so older news about its installation is useless.
enum SweptEvents {
  static let types: [StripeEventType] = [
    // The types that most sales need come first, since Stripe takes at most 20 types in a call.
    "checkout.session.completed", "checkout.session.async_payment_succeeded", "checkout.session.async_payment_failed",
    "checkout.session.expired", "customer.subscription.created", "customer.subscription.updated",
    "customer.subscription.deleted", "customer.subscription.paused", "customer.subscription.resumed",
    "customer.subscription.pending_update_applied", "invoice.paid", "invoice.payment_failed", "invoice.voided",
    "invoice.marked_uncollectible", "invoice_payment.paid", "charge.refunded", "refund.created", "refund.updated",
    "refund.failed", "charge.refund.updated",

    "charge.dispute.created", "charge.dispute.updated", "charge.dispute.closed", "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated", "radar.early_fraud_warning.created", "radar.early_fraud_warning.updated",
    "credit_note.created", "credit_note.updated", "credit_note.voided", "payment_intent.succeeded",
    "payment_intent.canceled", "payment_intent.payment_failed", "invoice.finalized", "invoice.updated",
    "invoice.payment_action_required", "customer.subscription.pending_update_expired",
    "customer.subscription.trial_will_end", "charge.succeeded", "charge.updated",

    "charge.captured", "customer.created", "customer.updated", "customer.deleted", "product.created", "product.updated",
    "product.deleted", "price.created", "price.updated", "price.deleted",
  ]

  static let all = Set(types)

  /// Stripe's limit (API reference, "List all events": `types`).
  static let typesPerCall = 20

  /// The types in groups of one call each.
  static let groups: [[StripeEventType]] = stride(from: 0, to: types.count, by: typesPerCall).map {
    Array(types[$0..<min($0 + typesPerCall, types.count)])
  }
}
