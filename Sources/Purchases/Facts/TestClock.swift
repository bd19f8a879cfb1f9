import Foundation
import StripeAPI

extension Knowledge {
  /// The time of the purchase's test clock: the newest time among its events and the past times that its objects state. Nil
  /// for a purchase without a test clock.
  ///
  /// Planned times (the end of a period, a future cancellation) do not count. The time of an answer does not count either,
  /// because answers carry the real time; only the times inside the answered object do.
  var testClock: Date? {
    let isOnClock = facts.values.contains { fact in
      switch fact.snapshot {
      case .subscription(let subscription): subscription.testClock != nil
      case .invoice(let invoice): invoice.testClock != nil
      case .customer(let customer): customer.testClock != nil
      default: false
      }
    }
    guard isOnClock else { return nil }
    return facts.values.flatMap { fact -> [Date] in
      // A buyer's record is shared with purchases on other clocks.
      if case .customer = fact.snapshot { return [] }
      return (fact.source == .event ? [fact.asOf] : []) + fact.snapshot.happened
    }.max()
  }
}

extension Snapshot {
  /// The moments at which something happened to the object, according to the object.
  fileprivate var happened: [Date] {
    let moments: [Date?] =
      switch self {
      case .checkoutSession(let session): [session.created]
      case .subscription(let subscription):
        [subscription.created, subscription.canceledAt, subscription.endedAt, subscription.trialStart]
          + subscription.items.map(\.currentPeriodStart)
      case .invoice(let invoice): [invoice.created, invoice.finalizedAt, invoice.paidAt]
      case .invoices(_, let invoices): invoices.flatMap { [$0.created, $0.finalizedAt, $0.paidAt] }
      case .paymentIntent(let payment): [payment.created]
      case .charge(let charge): [charge.created]
      case .refund(let refund): [refund.created]
      case .dispute(let dispute): [dispute.created]
      case .creditNote(let note): [note.created]
      default: []
      }
    return moments.compactMap { $0 }
  }
}
