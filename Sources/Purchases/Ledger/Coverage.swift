package import Foundation
import Identity
package import StripeAPI

extension Ledger.Coverage {
  /// How long a delayed payment of a subscription that Stripe calls active may take. Bank debits take up to fourteen
  /// business days (Stripe docs, "ACH Direct Debit", "SEPA Direct Debit"); what has not come three weeks after it was asked
  /// for does not count as being on its way.
  static let longestDelay: TimeInterval = 21 * 86_400

  /// How far an invoice is paid.
  ///
  /// - Parameters:
  ///   - status: of the subscription that it belongs to; nil for none. Stripe says `past_due` when money is late: an open
  ///     invoice of an active subscription is on its way.
  ///   - paidAt: when its money came, where the invoice does not say that itself.
  init(_ invoice: Stripe.Invoice, of status: Stripe.Subscription.Status?, paidAt: Date?) {
    let isRunning = status.map { !$0.isTerminal } ?? false
    switch invoice.status {
    case .paid where invoice.isCreditedInFull: self = isRunning ? .waived : .void
    case .paid: self = .paid(at: invoice.paidAt ?? paidAt ?? invoice.created)
    case .void: self = isRunning ? .waived : .void
    // What was never tried belongs to a pause that let the period pass. A sent invoice is asked for without attempts.
    case .uncollectible:
      self = !invoice.isSent && invoice.attemptCount == 0 && isRunning ? .waived : .givenUp(since: invoice.due)
    // Drafts are not asked for, except that Stripe leaves invoices of an unpaid subscription as drafts.
    case .draft: self = status == .unpaid ? .owed(since: invoice.created) : .underWay(lateFrom: nil)
    case .open where invoice.isSent: self = .underWay(lateFrom: invoice.due)
    case .open:
      switch status {
      case .active, .trialing, nil: self = .underWay(lateFrom: invoice.due.addingTimeInterval(Self.longestDelay))
      case .incomplete, .incompleteExpired, .pastDue, .unpaid, .paused, .canceled, .unknown:
        self = .owed(since: invoice.due)
      }
    }
  }
}

extension Stripe.Invoice {
  /// Whether it is sent to the buyer, and not charged: only such an invoice has a due date.
  var isSent: Bool { collectionMethod == .sendInvoice || dueDate != nil }

  /// When it was to be paid: a sent invoice at its due date, any other as soon as it could be.
  package var due: Date { (isSent ? dueDate : nil) ?? finalizedAt ?? created }
}
