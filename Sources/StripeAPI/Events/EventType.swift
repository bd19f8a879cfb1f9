/// The type of an event, for example `invoice.paid`. Open-ended: Stripe adds types at any time, and an unknown one must
/// be accepted like any other (Stripe docs, "Types of events").
public struct StripeEventType: RawRepresentable, Hashable, Sendable, ExpressibleByStringLiteral {
  /// Stripe's own word.
  public let rawValue: String

  public init(rawValue: String) { self.rawValue = rawValue }
  public init(_ text: String) { self.rawValue = text }
  public init(stringLiteral value: String) { self.rawValue = value }

  public static let accountApplicationAuthorized: Self = "account.application.authorized"
  public static let accountApplicationDeauthorized: Self = "account.application.deauthorized"
  public static let accountUpdated: Self = "account.updated"

  public static let checkoutSessionCompleted: Self = "checkout.session.completed"
  public static let checkoutSessionAsyncPaymentSucceeded: Self = "checkout.session.async_payment_succeeded"
  public static let checkoutSessionAsyncPaymentFailed: Self = "checkout.session.async_payment_failed"
  public static let checkoutSessionExpired: Self = "checkout.session.expired"

  public static let customerCreated: Self = "customer.created"
  public static let customerUpdated: Self = "customer.updated"
  public static let customerDeleted: Self = "customer.deleted"

  public static let subscriptionCreated: Self = "customer.subscription.created"
  public static let subscriptionUpdated: Self = "customer.subscription.updated"
  public static let subscriptionDeleted: Self = "customer.subscription.deleted"
  public static let subscriptionPaused: Self = "customer.subscription.paused"
  public static let subscriptionResumed: Self = "customer.subscription.resumed"
  public static let subscriptionTrialWillEnd: Self = "customer.subscription.trial_will_end"
  public static let subscriptionPendingUpdateApplied: Self = "customer.subscription.pending_update_applied"
  public static let subscriptionPendingUpdateExpired: Self = "customer.subscription.pending_update_expired"

  public static let invoiceFinalized: Self = "invoice.finalized"
  public static let invoicePaid: Self = "invoice.paid"
  public static let invoicePaymentSucceeded: Self = "invoice.payment_succeeded"
  public static let invoicePaymentFailed: Self = "invoice.payment_failed"
  public static let invoicePaymentActionRequired: Self = "invoice.payment_action_required"
  public static let invoiceUpdated: Self = "invoice.updated"
  public static let invoiceVoided: Self = "invoice.voided"
  public static let invoiceMarkedUncollectible: Self = "invoice.marked_uncollectible"
  public static let invoicePaymentPaid: Self = "invoice_payment.paid"

  public static let paymentIntentSucceeded: Self = "payment_intent.succeeded"
  public static let paymentIntentPaymentFailed: Self = "payment_intent.payment_failed"
  public static let paymentIntentCanceled: Self = "payment_intent.canceled"

  public static let chargeSucceeded: Self = "charge.succeeded"
  public static let chargeUpdated: Self = "charge.updated"
  public static let chargeRefunded: Self = "charge.refunded"
  public static let chargeRefundUpdated: Self = "charge.refund.updated"
  public static let refundCreated: Self = "refund.created"
  public static let refundUpdated: Self = "refund.updated"
  public static let refundFailed: Self = "refund.failed"

  public static let disputeCreated: Self = "charge.dispute.created"
  public static let disputeUpdated: Self = "charge.dispute.updated"
  public static let disputeClosed: Self = "charge.dispute.closed"
  public static let disputeFundsWithdrawn: Self = "charge.dispute.funds_withdrawn"
  public static let disputeFundsReinstated: Self = "charge.dispute.funds_reinstated"

  public static let productCreated: Self = "product.created"
  public static let productUpdated: Self = "product.updated"
  public static let productDeleted: Self = "product.deleted"
  public static let priceCreated: Self = "price.created"
  public static let priceUpdated: Self = "price.updated"
  public static let priceDeleted: Self = "price.deleted"
}

extension StripeEventType: CustomStringConvertible {
  public var description: String { rawValue }
}

extension StripeEventType: Codable {
  public init(from decoder: any Decoder) throws {
    rawValue = try decoder.singleValueContainer().decode(String.self)
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(rawValue)
  }
}
