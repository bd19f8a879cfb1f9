import Foundation
import Identity
import JSON
import LicenseKitAPI
import Purchases
import StripeAPI

/// The answer to "why is there (no) license for this?" for any id, without a buyer's data.
struct Explanation: Encodable, Sendable {
  struct Object: Encodable, Sendable {
    let id: String
    let type: ExplainedObject.Kind
  }

  /// The short answer.
  struct Verdict: Encodable, Sendable {
    let code: Code
    let sentence: String
  }

  enum Code: String, Encodable, Sendable, CaseIterable {
    /// Licenses are as they should be.
    case licensed
    case suspended, ended, failed
    case waitingPayment = "waiting_payment"
    case waitingMapping = "waiting_mapping"
    /// Known, and being worked on or tried again.
    case inProgress = "in_progress"
    /// The account is not connected: nothing is done for it.
    case notConnected = "not_connected"
    /// The tenant's queue is blocked until a person acts.
    case blocked = "parked"
    /// Stripe or LicenseKit does not answer. It continues by itself when they do.
    case outage
    /// An event about it arrived and cannot be read.
    case eventFailed = "event_failed"
    /// An event about it arrived and is waiting.
    case eventWaiting = "event_waiting"
    /// The event has no effect on licenses.
    case eventIgnored = "event_ignored"
    /// A sale at Stripe that is not known here.
    case notSeen = "not_seen"
    /// Stripe has it, but it names nothing that is sold, or sells nothing.
    case sellsNothing = "sells_nothing"
    /// Neither known here nor at Stripe, for this account and mode.
    case unknownObject = "unknown_object"
    /// The id belongs to the other mode.
    case wrongMode = "wrong_mode"
    /// Stripe could not be asked.
    case stripeUnavailable = "stripe_unavailable"
    /// It belongs to several purchases, which are listed.
    case several
    /// A product or price with a mapping, or without.
    case mapped, unmapped
  }

  /// Something that can be done about it.
  struct Action: Encodable, Sendable {
    let sentence: String
    /// The request that does it, if there is one.
    @OrNull var method: String?
    @OrNull var path: String?

    init(_ sentence: String, _ method: String? = nil, _ path: String? = nil) {
      self.sentence = sentence
      self.method = method
      self.path = path
    }
  }

  /// One step of the reasoning, in order.
  struct Reason: Encodable, Sendable {
    enum Kind: String, Encodable, Sendable {
      case link, fact, event, mapping, decision, step, connection, outage, job, stripe
    }
    let kind: Kind
    let says: String
    /// When that was true, or happened.
    @OrNull var at: Date?

    init(_ kind: Kind, _ says: String, at: Date? = nil) {
      self.kind = kind
      self.says = says
      self.at = at
    }
  }

  struct Event: Encodable, Sendable {
    let id: String
    let type: String
    let state: String
    @OrNull var outcome: String?
    let created: Date
    let receivedAt: Date
  }

  struct Connection: Encodable, Sendable {
    /// `pending`, `connected`, `disconnected`, or `never` when the app was never installed.
    let status: String
    @OrNull var installedAt: Date?
    /// Why nothing is done.
    @OrNull var standstill: String?
    @OrNull var standingStillSince: Date?
  }

  /// What would be done if an object that is not known here were processed.
  struct Outlook: Encodable, Sendable {
    let status: PurchaseStatus
    @OrNull var reason: String?
    let lines: [String]
    let steps: [String]
  }

  let object: Object
  let accountID: Stripe.AccountID
  let livemode: Bool
  var verdict: Verdict
  var whatToDo: [Action] = []
  var fulfillments: [FulfillmentView] = []
  var connection: Connection
  var chain: [Reason] = []
  var events: [Event] = []
  /// Whether Stripe was asked for this answer.
  var askedStripe = false
  @OrNull var ifTakenUp: Outlook?
}

extension Explanation {
  /// The answer as text for a terminal.
  var text: String {
    var lines = [
      "\(object.id) (\(accountID), \(livemode ? "live" : "test"))", "", "\(verdict.code.rawValue): \(verdict.sentence)",
    ]
    if !whatToDo.isEmpty {
      lines += ["", "What to do:"]
      lines += whatToDo.map { action in
        "  - \(action.sentence)" + (action.path.map { " (\(action.method ?? "GET") \($0))" } ?? "")
      }
    }
    for fulfillment in fulfillments {
      lines += [
        "", "\(fulfillment.id): \(fulfillment.status), \(fulfillment.purchase.kind) \(fulfillment.purchase.stripeID)",
      ]
      if let reason = fulfillment.reason { lines.append("  \(reason)") }
      for line in fulfillment.lines {
        for license in line.licenses {
          let until = license.expiresAt.map { " until \($0.inWords)" } ?? ""
          lines.append("  license \(license.id) of line \(line.stripeLineID): \(license.status.rawValue)\(until)")
        }
      }
    }
    if let outlook = ifTakenUp {
      lines += ["", "If it is ingested: \(outlook.status.rawValue)\(outlook.reason.map { ". \($0)" } ?? "")"]
      lines += (outlook.lines + outlook.steps).map { "  \($0)" }
    }
    if !chain.isEmpty { lines += ["", "Why:"] + chain.map { "  \($0.at.map { "\($0.inWords)  " } ?? "")\($0.says)" } }
    return lines.joined(separator: "\n")
  }
}
