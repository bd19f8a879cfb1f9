import Foundation
import Identity
package import StripeAPI

/// Everything that a purchase was asked to pay for, entry by entry, and what became of each demand.
///
/// Entitlement is read off these entries and nothing else: which units of which price are paid for which time, by money
/// that is still there (`docs/entitlement.md`).
package struct Ledger: Hashable, Sendable {
  package var entries: [Entry] = []
  /// What in the objects cannot be interpreted. While there is any doubt, nothing is concluded.
  var anomalies: [Anomaly] = []

  /// One line: of an invoice, of a Checkout Session, or a payment that names what it sells.
  package struct Entry: Hashable, Sendable {
    enum Direction: Hashable, Sendable {
      case charge
      /// Gives back the rest of a time that was charged before.
      case credit
    }

    /// `il_…`, `li_…` or `pi_…`
    package let id: String
    package let invoice: Stripe.InvoiceID?
    /// The subscription item that the line names; lines of invoice items name none.
    package let item: Stripe.SubscriptionItemID?
    package let price: Stripe.PriceID?
    package let product: Stripe.ProductID?
    package var quantity: Int
    /// In the smallest unit of the currency; negative for credits.
    package let amount: Int64
    /// The time that the line is about; nil for what is bought once.
    var span: Span?
    let direction: Direction
    /// It bills a change in the middle of a period; Stripe calls that proration.
    let isChange: Bool
    /// When the invoice was made. It only orders the lines among themselves.
    let billed: Date
    let coverage: Coverage
    let returned: Returned
  }

  /// How far an entry is paid.
  enum Coverage: Hashable, Sendable {
    case paid(at: Date)
    /// Not paid, and nobody has to pay: the vendor gave it away, or never asked for it.
    case waived
    /// Not paid and not late: a draft, a delayed payment on its way, a sent invoice before its due date. If no news comes, it
    /// becomes late at that moment; nil means never.
    case underWay(lateFrom: Date?)
    /// Late since that moment; its grace begins there.
    case owed(since: Date)
    /// Late, and Stripe has stopped asking. It can still be paid.
    case givenUp(since: Date)
    /// Called off.
    case void
  }

  /// What became of the money that paid an entry.
  enum Returned: Hashable, Sendable {
    case nothing
    case part
    /// All of it is being given back, and that may still fail.
    case pending
    /// All of it was given back.
    case all
    /// Lost in a dispute.
    case lost
  }

  /// What cannot be interpreted, and where.
  struct Anomaly: Hashable, Sendable {
    let invoice: Stripe.InvoiceID
    /// In plain words, for the vendor.
    let sentence: String
  }
}

extension Ledger.Entry {
  var paidAt: Date? { if case .paid(let date) = coverage { date } else { nil } }
  var isWaived: Bool { coverage == .waived }

  /// When it becomes late; nil if it is paid, waived, void or never late.
  var lateFrom: Date? {
    switch coverage {
    case .underWay(let date): date
    case .owed(let date), .givenUp(let date): date
    case .paid, .waived, .void: nil
    }
  }

  /// Whether money for it is still to come, late or not.
  var isAwaited: Bool {
    switch coverage {
    case .underWay, .owed, .givenUp: true
    case .paid, .waived, .void: false
    }
  }

  /// Whether Stripe says that it is late, and not only that it is not paid yet.
  var isOwed: Bool {
    switch coverage {
    case .owed, .givenUp: true
    case .paid, .waived, .void, .underWay: false
    }
  }

  /// Whether its money is there and stays there. Returned money still counts if the vendor's terms keep access after a
  /// refund.
  package func isPaid(keepingReturned keeps: Bool) -> Bool {
    guard case .paid = coverage else { return false }
    switch returned {
    case .nothing, .part: return true
    case .pending, .all: return keeps
    case .lost: return false
    }
  }

  /// Whether its money went back, or is about to.
  var isReturned: Bool { returned != .nothing && returned != .part }
}
