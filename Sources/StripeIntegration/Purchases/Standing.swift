import Foundation
import Identity

/// Why access is withheld although something was sold. Several can hold at once; the license comes back when none is
/// left.
public enum Cause: String, Hashable, Sendable, Codable, CaseIterable, Comparable {
  case pastDue = "past_due"
  case unpaid
  case paused
  case collectionPaused = "collection_paused"
  case refunded
  case refundPending = "refund_pending"
  case disputed
  case canceled

  /// In plain words.
  public var sentence: String {
    switch self {
    case .pastDue: "a payment is overdue and the grace period is over"
    case .unpaid: "the subscription is unpaid"
    case .paused: "the subscription is paused"
    case .collectionPaused: "payment collection is paused"
    case .refunded: "the payment for this period was refunded"
    case .refundPending: "the payment is being refunded"
    case .disputed: "the payment is disputed"
    case .canceled: "the subscription was canceled"
    }
  }

  public static func < (a: Cause, b: Cause) -> Bool { a.rawValue < b.rawValue }
}

/// What a line of a purchase entitles to at one moment.
struct Standing: Hashable {
  enum Access: Hashable {
    /// Nothing was paid yet; nothing is issued, and nothing that was issued is touched.
    case awaitingPayment(String)
    case granted
    case withheld(Set<Cause>)
    /// Over; `revoke` ends the license for good, else it is suspended unless it has expired by itself.
    case ended(revoke: Bool, String)
  }

  var access: Access
  /// The end of what is paid for; nil for ever.
  var paidThrough: Date?
  /// The earliest later moment at which the answer may be another one without any event.
  var nextChange: Date?
  /// What the vendor should know although access is granted.
  var note: String?

  var awaitsPayment: Bool { if case .awaitingPayment = access { true } else { false } }
}
