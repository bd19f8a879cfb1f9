package import StripeAPI

extension Stripe.Subscription {
  package enum Pause {
    /// By the vendor, the buyer or Stripe: what `on_pause` says.
    case asked
    /// A trial that ended without a payment method: as the end of a trial.
    case trialEnded
    /// A payment that never came: as the end of dunning.
    case paymentFailed
  }

  /// Why the subscription is paused. Older shapes do not say it, and knew only a trial that ended without a payment method.
  package func pause(hasPaid: Bool) -> Pause {
    switch pauseCause {
    case .pauseRequested, .system, .unknown: .asked
    case .trialEndWithoutPaymentMethod: .trialEnded
    case .firstPaymentFailure, .finalPaymentFailure: .paymentFailed
    case nil: trialEnd != nil && !hasPaid ? .trialEnded : .asked
    }
  }
}
