import Foundation
import Identity
import Purchases
import Queue
import StripeAPI

/// Finds the short answer from what was found. Pure.
enum ExplainVerdict {
  typealias Verdict = Explanation.Verdict
  typealias Action = Explanation.Action

  // MARK: Purchases

  static func of(_ rows: [PurchaseRow], _ blockage: Blockage?, object: String) -> (Verdict, [Action]) {
    guard rows.count == 1, let row = rows.first else { return several(rows, object: object) }
    if row.isDue, let blockage {
      return (
        of(blockage, besides: "Purchase \(row.id) is \(row.status), and its reconcile request must wait."),
        actions(blockage)
      )
    }
    let because = row.reason.map { " \($0)" } ?? ""
    let status = PurchaseStatus(rawValue: row.status) ?? .pending
    switch status {
    case .fulfilled:
      return (.init(code: .licensed, sentence: "This sale is licensed.\(because)"), [])
    case .suspended:
      return (
        .init(code: .suspended, sentence: "Its licenses are withheld.\(because)"),
        [.init("Nothing: the licenses come back when the cause is gone.")]
      )
    case .ended:
      return (.init(code: .ended, sentence: "It gives no access, or none any more.\(because)"), [])
    case .waitingPayment:
      return (
        .init(code: .waitingPayment, sentence: "It is not paid yet.\(because)"),
        [.init("Nothing: it is fulfilled when Stripe reports the payment.")]
      )
    case .waitingMapping:
      return (
        .init(code: .waitingMapping, sentence: "What was sold has no mapping.\(because)"),
        [.init("Add a mapping: it fulfills this sale.", "POST", "/stripe/admin/mappings")]
      )
    case .failed:
      return (
        .init(code: .failed, sentence: "It needs a person.\(because)"),
        [
          .init(
            "Correct the cause, then replay the purchase.", "POST", "/stripe/admin/fulfillments/\(row.id)/replay")
        ]
      )
    case .pending:
      let next = row.reconcileAt.map { " The next look is due \($0.inWords)." } ?? ""
      return (
        .init(code: .inProgress, sentence: "It is being worked on.\(because)\(next)"),
        [.init("Wait: it is tried again automatically.")]
      )
    }
  }

  private static func several(_ rows: [PurchaseRow], object: String) -> (Verdict, [Action]) {
    var counts: [String: Int] = [:]
    for row in rows { counts[row.status, default: 0] += 1 }
    let words = counts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
    return (
      .init(code: .several, sentence: "\(rows.count) purchases belong to it: \(words)."),
      rows.filter { $0.status != PurchaseStatus.fulfilled.rawValue }.prefix(5).map { explainOne($0.id.rawValue) }
    )
  }

  static func explainOne(_ id: String) -> Action {
    .init("Ask about one of them.", "GET", "/stripe/admin/explain?object=\(id)")
  }

  static func of(_ blockage: Blockage, besides: String) -> Verdict {
    let code: Explanation.Code =
      switch blockage.code {
      case "outage": .outage
      case TenantUnavailable.Reason.notConnected.rawValue: .notConnected
      default: .blocked
      }
    return .init(code: code, sentence: "\(besides) \(blockage.why)")
  }

  static func actions(_ blockage: Blockage) -> [Action] {
    switch blockage.code {
    case "outage", TenantUnavailable.Reason.notConnected.rawValue: [.init(blockage.whatToDo.sentenceCased)]
    default:
      [
        .init(blockage.whatToDo.sentenceCased),
        .init("When that is done, unblock the queue.", "POST", "/stripe/admin/connections/unpark"),
      ]
    }
  }

  /// What was sold, and which mapping licenses it.
  static func mappings(_ knowledge: Knowledge, _ mappings: [Mapping]) -> [Explanation.Reason] {
    var sold: [(price: Stripe.PriceID?, product: Stripe.ProductID?)] = []
    for snapshot in knowledge.facts.values.sorted(by: { $0.key < $1.key }).map(\.snapshot) {
      switch snapshot {
      case .lineItems(_, let lines): sold += lines.map { ($0.price, $0.product) }
      case .subscription(let subscription): sold += subscription.items.map { ($0.price, $0.product) }
      case .invoice(let invoice): sold += invoice.lines.filter { !$0.isProration }.map { ($0.price, $0.product) }
      default: break
      }
    }
    var reasons: [Explanation.Reason] = []
    var seen: Set<String> = []
    for (price, product) in sold {
      let name = [price?.rawValue, product.map { "of \($0)" }].compactMap { $0 }.joined(separator: " ")
      guard !name.isEmpty, seen.insert(name).inserted else { continue }
      let applying = Mapping.applying(to: price, product: product, among: mappings)
      reasons.append(
        .init(
          .mapping,
          applying.isEmpty
            ? "\(name): no mapping."
            : "\(name): " + applying.map { "mapping \($0.id) (\($0.terms.sentence))" }.joined(separator: "; ") + "."))
    }
    return reasons
  }

  // MARK: Never seen

  static func wrongMode(_ object: ExplainedObject, livemode: Bool) -> Verdict {
    let (is_, asked) = livemode ? ("live", "test") : ("test", "live")
    return .init(
      code: .wrongMode,
      sentence:
        "This \(object.noun) is of \(is_) mode, and was asked for in \(asked) mode. Ask with livemode=\(livemode).")
  }

  /// - Parameters:
  ///   - made: events that Stripe has created; nil if it could not be asked.
  ///   - here: the events that arrived.
  static func whyUnseen(made: [StripeEventNotice]?, here: [Explanation.Event]) -> String {
    let missing = (made ?? []).filter { event in !here.contains { $0.id == event.id } }
    if missing.contains(where: { $0.pendingWebhooks > 0 }) {
      return "Stripe's webhook has not been delivered yet; Stripe still tries."
    }
    if !missing.isEmpty {
      return
        "Stripe's webhook was not delivered here: the endpoint may lack the type, or did not answer for three days."
    }
    if !here.isEmpty { return "Events about it came and had no effect: \(here.map { "\($0.id) \($0.state)" }.listed)." }
    guard made != nil else {
      return
        "No webhook about it arrived. Whether Stripe sent one is unknown: the app may not read events, or it is too old."
    }
    return "Stripe lists no event about it; it keeps events for 30 days."
  }

  /// - Parameter isOlder: whether the object is older than the installation.
  static func of(
    _ finding: LiveLook.Finding, _ object: ExplainedObject, why: String, isOlder: Bool
  ) -> (Verdict, [Action]) {
    let ingest = Action(
      "Ingest it now.", "POST", "/stripe/admin/explain/fetch?object=\(object.id)")
    let more = [
      ingest,
      isOlder
        ? Action("Ingest everything that was sold before the app was installed.", "POST", "/stripe/admin/backfill")
        : Action("Read all events that were missed.", "POST", "/stripe/admin/sweep"),
    ]
    guard let decision = finding.decision else {
      return (.init(code: .notSeen, sentence: "Stripe has this \(object.noun). \(why)"), [ingest])
    }
    let reason = decision.reason.map { " \($0)" } ?? ""
    switch decision.status {
    case .ended:
      return (
        .init(
          code: decision.lines.isEmpty ? .sellsNothing : .ended,
          sentence: "There is nothing to license for this \(object.noun).\(reason)"), []
      )
    case .waitingPayment:
      return (
        .init(code: .waitingPayment, sentence: "It is not paid.\(reason)"), [.init("Nothing: no event is missing.")]
      )
    case .waitingMapping:
      return (
        .init(code: .waitingMapping, sentence: "It is not known here. \(why) It also has no mapping.\(reason)"),
        [.init("Add a mapping.", "POST", "/stripe/admin/mappings")] + more
      )
    case .fulfilled, .suspended, .pending, .failed:
      return (
        .init(code: .notSeen, sentence: "Stripe has this sale; it is not known here. \(why)"), more
      )
    }
  }

  static func outlook(_ decision: Decision, _ steps: [Step]) -> Explanation.Outlook {
    .init(
      status: decision.status, reason: decision.reason, lines: decision.lines.prefix(20).map(\.summary),
      steps: steps.prefix(50).map(\.sentence))
  }
}

extension String {
  /// With a capital letter.
  fileprivate var sentenceCased: String { prefix(1).uppercased() + dropFirst() }
}
