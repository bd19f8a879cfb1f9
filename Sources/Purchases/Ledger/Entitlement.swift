package import Foundation
import Identity

/// Why access is withheld or has ended although something was sold. Several causes can hold at once: each is remembered and
/// shown, the strictest decides, and the license comes back when none is left.
package enum Cause: String, Hashable, Sendable, Codable, CaseIterable, Comparable {
  case pastDue = "past_due"
  case unpaid
  case paused
  case collectionPaused = "collection_paused"
  /// In a trial that the mapping does not license, after paid time.
  case unlicensedTrial = "unlicensed_trial"
  case refunded
  case refundPending = "refund_pending"
  case disputed
  case disputeLost = "dispute_lost"
  case fraudWarning = "fraud_warning"
  case canceled
  case voided
  case termOver = "term_over"

  /// In plain words.
  package var sentence: String {
    switch self {
    case .pastDue: "a payment is overdue and the grace period is over"
    case .unpaid: "the subscription is unpaid"
    case .paused: "the subscription is paused"
    case .collectionPaused: "payment collection is paused"
    case .unlicensedTrial: "the subscription is in a trial that the mapping does not license"
    case .refunded: "the payment for this period was refunded"
    case .refundPending: "the payment is being refunded"
    case .disputed: "the payment is disputed"
    case .disputeLost: "the dispute was lost"
    case .fraudWarning: "the card issuer warns that the payment may be fraud"
    case .canceled: "the subscription was canceled"
    case .voided: "the invoice was voided"
    case .termOver: "the term of the license is over"
    }
  }

  /// Several of them, in a fixed order.
  package static func sentences(_ causes: Set<Cause>) -> String {
    causes.sorted().map(\.sentence).joined(separator: "; ")
  }

  package static func < (a: Cause, b: Cause) -> Bool { a.rawValue < b.rawValue }
}

/// What a line of a purchase entitles to at one moment.
package struct Entitlement: Hashable {
  package enum Access: Hashable {
    /// Nothing was paid yet; nothing is issued.
    case awaitingPayment(String)
    case granted
    /// Until none of the causes holds.
    case withheld
    /// Access is over. `revoke` ends the license for good; otherwise it is suspended, unless it has expired by itself.
    case ended(revoke: Bool, String)
  }

  package var access: Access
  /// Everything that speaks against access, including what did not end it.
  package var causes: Set<Cause> = []
  /// The one that has ended access.
  var endedBy: Cause?
  /// The end of what is paid for; nil when it never ends.
  var paidThrough: Date?
  /// The moment to which the grace is added, if it is later than the end of the paid time: a sent invoice is not late before
  /// it is due. Nil means `paidThrough`.
  package var dueAt: Date?
  /// The earliest moment at which the answer may change without any event.
  var nextChange: Date?
  /// What the vendor should know although access is granted.
  package var note: String?

  var awaitsPayment: Bool { if case .awaitingPayment = access { true } else { false } }
}

extension Entitlement {
  /// Gathers what speaks against access and what ends it; the strictest decides.
  struct Builder {
    private(set) var causes: Set<Cause> = []
    private(set) var nextChange: Date?
    private var end: (revoke: Bool, cause: Cause, reason: String)?
    let now: Date

    init(now: Date) { self.now = now }

    mutating func withhold(_ cause: Cause) { causes.insert(cause) }

    /// Access is granted until a moment, and withheld for the cause after it.
    mutating func withhold(_ cause: Cause, from moment: Date) {
      if moment <= now { causes.insert(cause) } else { changes(at: moment) }
    }

    /// Access is over. Of several ends, the first that revokes counts, else the first.
    mutating func end(revoke: Bool, _ cause: Cause, _ reason: String) {
      causes.insert(cause)
      if end == nil || (revoke && end?.revoke == false) { end = (revoke, cause, reason) }
    }

    mutating func changes(at moment: Date) { nextChange = min(nextChange ?? moment, moment) }

    var hasRevoked: Bool { end?.revoke ?? false }

    func entitlement(paidThrough: Date?, note: String? = nil) -> Entitlement {
      if let end {
        return Entitlement(
          access: .ended(revoke: end.revoke, end.reason), causes: causes, endedBy: end.cause, paidThrough: paidThrough)
      }
      return Entitlement(
        access: causes.isEmpty ? .granted : .withheld, causes: causes, paidThrough: paidThrough, nextChange: nextChange,
        note: note)
    }
  }
}
