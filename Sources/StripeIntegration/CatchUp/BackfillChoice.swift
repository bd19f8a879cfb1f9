import Foundation
import JSON

/// Which of the sales from before the app's installation a vendor wants licensed.
struct BackfillChoice: Codable, Hashable, Sendable {
  enum Subscriptions: String, Codable, Hashable, Sendable {
    /// Those that are active, in trial, past due, unpaid or paused.
    case active
    case none
  }

  var subscriptions: Subscriptions
  /// Paid Checkout Sessions made at this time or later; nil for none.
  var paidSessionsSince: Date?
  /// Paid one-off invoices of the same time.
  var paidInvoices: Bool?
  /// Only reports what would be done.
  var dryRun: Bool?
  /// For subscriptions that are not known here: only those made at this time or later. The vendor does not choose this: after
  /// a gap, older subscriptions were decided upon long ago.
  var subscriptionsSince: Date?

  var isDryRun: Bool { dryRun ?? false }
  var includesInvoices: Bool { paidInvoices ?? false }

  /// The choice as a job's parameters, with every field written out.
  var parameters: JSONObject {
    var parameters = JSONObject([
      ("subscriptions", .string(subscriptions.rawValue)),
      ("paid_sessions_since", paidSessionsSince.map { .string(RFC3339.string(from: $0)) } ?? .null),
      ("paid_invoices", .bool(includesInvoices)),
      ("dry_run", .bool(isDryRun)),
    ])
    if let subscriptionsSince { parameters["subscriptions_since"] = .string(RFC3339.string(from: subscriptionsSince)) }
    return parameters
  }

  /// The lists that are read, one after the other.
  enum Phase: String, Codable, Hashable, Sendable { case subscriptions, sessions, invoices }

  var phases: [Phase] {
    (subscriptions == .active ? [.subscriptions] : [])
      + (paidSessionsSince == nil ? [] : [.sessions] + (includesInvoices ? [.invoices] : []))
  }
}

/// The outcome for an object that a backfill looks at.
enum BackfillOutcome: String, Hashable, Sendable, CaseIterable {
  /// It already has a purchase here; what is new about it was stored.
  case known
  /// One or more licenses are issued for it.
  case licensed
  /// It becomes a purchase, which is licensed as soon as there is a mapping.
  case noMapping = "no_mapping"
  /// It becomes a purchase, which is licensed as soon as it is paid.
  case waiting
  /// It becomes a purchase whose access is withheld now (a dispute, an unpaid invoice).
  case suspended
  /// It becomes a purchase that a person must look at.
  case failed
  /// It belongs to another object that becomes a purchase.
  case linked
  /// Skipped: it sells nothing that is licensed.
  case nothing
  /// Skipped: it could not be read.
  case unreadable

  /// Whether it becomes a purchase.
  var ingests: Bool {
    switch self {
    case .known, .licensed, .noMapping, .waiting, .suspended, .failed: true
    case .linked, .nothing, .unreadable: false
    }
  }

  /// What a backfill counts, in display order.
  static let counts =
    ["subscriptions", "checkout_sessions", "invoices", "licenses"] + allCases.map(\.rawValue)
}
