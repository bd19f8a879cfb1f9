package import Foundation
import Identity
package import StripeAPI

extension Ledger.Coverage {
  /// How long a delayed payment of a subscription that Stripe calls active may take. Bank debits take up to fourteen business
  /// days (Stripe docs, "ACH Direct Debit", "SEPA Direct Debit"). Money that has not come three weeks after Stripe asked for
  /// it counts as late.
  static let longestDelay: TimeInterval = 21 * 86_400

  /// How far an invoice is paid.
  ///
  /// - Parameters:
  /// - status: of the subscription that the invoice belongs to; nil for none. Stripe says `past_due` when money is late, so
  ///   an open invoice of an active subscription is on its way.
  /// - paidAt: when its money came, if the invoice does not say that itself.
  init(_ invoice: Stripe.Invoice, of status: Stripe.Subscription.Status?, paidAt: Date?) {
    let isRunning = status.map { !$0.isTerminal } ?? false
    switch invoice.status {
    case .paid where invoice.isCreditedInFull: self = isRunning ? .waived : .void
    case .paid: self = .paid(at: invoice.paidAt ?? paidAt ?? invoice.created)
    case .void: self = isRunning ? .waived : .void
    // An invoice that Stripe never tried to collect belongs to a pause that let the period pass. A sent invoice never has
    // attempts, so their number says nothing about it.
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
  /// Whether the invoice is sent to the buyer instead of charged. Only a sent invoice has a due date.
  var isSent: Bool { collectionMethod == .sendInvoice || dueDate != nil }

  /// When the invoice had to be paid: a sent invoice at its due date, any other as soon as it could be.
  package var due: Date { (isSent ? dueDate : nil) ?? finalizedAt ?? created }
}
