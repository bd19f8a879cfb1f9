package import StripeAPI

extension Stripe.Subscription {
  package enum Pause {
    /// The vendor, the buyer or Stripe asked for it: `on_pause` decides.
    case asked
    /// A trial ended without a payment method: the same as the end of a trial.
    case trialEnded
    /// A payment never came: the same as the end of dunning.
    case paymentFailed
  }

  /// Why the subscription is paused. Older API shapes do not say it, and had only one cause: a trial that ended without a
  /// payment method.
  package func pause(hasPaid: Bool) -> Pause {
    switch pauseCause {
    case .pauseRequested, .system, .unknown: .asked
    case .trialEndWithoutPaymentMethod: .trialEnded
    case .firstPaymentFailure, .finalPaymentFailure: .paymentFailed
    case nil: trialEnd != nil && !hasPaid ? .trialEnded : .asked
    }
  }
}
