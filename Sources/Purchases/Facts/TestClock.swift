import Foundation
import StripeAPI

extension Knowledge {
  /// The time of the test clock of the purchase: the newest time in events, and in what the objects say has happened. Nil
  /// for a purchase without a test clock.
  ///
  /// What is planned (the end of a period, a cancellation to come) is not told as having happened. Answers count for
  /// their objects only: they carry the real time.
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
      // A buyer's record is shared with purchases of other clocks.
      if case .customer = fact.snapshot { return [] }
      return (fact.source == .event ? [fact.asOf] : []) + fact.snapshot.happened
    }.max()
  }
}

extension Snapshot {
  /// The moments at which something happened to the object, as it says itself.
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
