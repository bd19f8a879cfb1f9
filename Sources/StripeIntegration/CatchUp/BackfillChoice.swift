import Foundation
import JSON

/// What a vendor wants taken up of what was sold before the app was installed.
struct BackfillChoice: Codable, Hashable, Sendable {
  enum Subscriptions: String, Codable, Hashable, Sendable {
    /// Those that are active, in trial, past due, unpaid or paused.
    case active
    case none
  }

  var subscriptions: Subscriptions
  /// Checkout Sessions made then or later, if they are paid; nil for none.
  var paidSessionsSince: Date?
  /// One-off invoices of the same time, if they are paid.
  var paidInvoices: Bool?
  /// Only says what would be done.
  var dryRun: Bool?
  /// Of subscriptions that are not known here only those made then or later. Not the vendor's choice: after a gap, what was
  /// there before it was decided upon long ago.
  var subscriptionsSince: Date?

  var isDryRun: Bool { dryRun ?? false }
  var includesInvoices: Bool { paidInvoices ?? false }

  /// As a job's parameters, every choice written out.
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

  /// What is read one after the other.
  enum Phase: String, Codable, Hashable, Sendable { case subscriptions, sessions, invoices }

  var phases: [Phase] {
    (subscriptions == .active ? [.subscriptions] : [])
      + (paidSessionsSince == nil ? [] : [.sessions] + (includesInvoices ? [.invoices] : []))
  }
}

/// What becomes of an object that a backfill comes to.
enum BackfillOutcome: String, Hashable, Sendable, CaseIterable {
  /// A purchase of it is here already; what is new about it was taken in.
  case known
  /// A license is issued for it, or several.
  case licensed
  /// Taken up, and licensed as soon as there is a mapping.
  case noMapping = "no_mapping"
  /// Taken up, and licensed as soon as it is paid.
  case waiting
  /// Taken up; access is withheld now (a dispute, an unpaid invoice).
  case suspended
  /// Taken up; a person must look at it.
  case failed
  /// It belongs to another object that is taken up.
  case linked
  /// Left alone: nothing is to be licensed for it.
  case nothing
  /// Left alone: it could not be read.
  case unreadable

  /// Whether a purchase is made of it.
  var takesUp: Bool {
    switch self {
    case .known, .licensed, .noMapping, .waiting, .suspended, .failed: true
    case .linked, .nothing, .unreadable: false
    }
  }

  /// What a backfill counts, in the order in which it is shown.
  static let counts =
    ["subscriptions", "checkout_sessions", "invoices", "licenses"] + allCases.map(\.rawValue)
}
