import Foundation
import Identity
import LicenseKitAPI
import StripeAPI

@testable import Purchases

/// Drives one run by hand: everything succeeds until the test takes over.
struct Walk {
  private(set) var run: Reconciliation
  private(set) var action: Reconciliation.Action
  /// What was wanted, in order: "commit: adopt, begin Create customer …", "call Create customer …".
  private(set) var told: [String] = []
  private var knowledge: Knowledge
  private let stripe: StripeModel
  private let mappings: [Mapping]
  private let recorded: Recorded
  let now: Date
  private var licenses = 0
  /// The id of the Checkout Session.
  let session: String

  /// A guest has paid for one license.
  init(
    _ beginning: Reconciliation.Beginning = .init(), recorded: Recorded = Recorded(), offer: Offer = Offer(),
    _ change: (inout StripeModel, String) -> Void = { _, _ in }
  ) {
    var stripe = StripeModel()
    let root = stripe.begin(.checkout(guest: true, makesInvoice: false, delayed: false, [one()]))
    session = root
    stripe.now += 60
    change(&stripe, root)
    knowledge = Knowledge(
      stripe.events.compactMap { event in
        guard case .learn(let snapshot, _) = event.effect else { return nil }
        return Fact(snapshot, asOf: Date(timeIntervalSince1970: TimeInterval(event.created)), source: .event)
      })
    self.stripe = stripe
    self.recorded = recorded
    mappings = offer.mappings
    now = Date(timeIntervalSince1970: TimeInterval(stripe.now))
    run = Reconciliation(of: Tenant(account: "acct_1", livemode: true), beginning, now: now)
    action = run.begin()
    told.append(Self.word(action))
  }

  /// Goes on until something is wanted whose words begin like this.
  @discardableResult
  mutating func upTo(_ words: String) -> Bool {
    for _ in 0..<60 {
      if told.last?.hasPrefix(words) ?? false { return true }
      guard let input = success() else { return false }
      tell(input)
    }
    return false
  }

  mutating func toTheEnd() { _ = upTo("finish") }

  mutating func tell(_ input: Reconciliation.Input) {
    action = run.next(input, now: now)
    told.append(Self.word(action))
  }

  mutating func refuse(_ error: any Error) {
    tell(.refused(FailurePolicy().refusal(error, attempts: run.beginning.attempts, jitter: 0.5)))
  }

  private mutating func success() -> Reconciliation.Input? {
    switch action {
    case .load:
      return .loaded(.init(knowledge: knowledge, recorded: recorded, mappings: mappings, settings: .init()))
    case .findCustomer: return .customer(nil)
    case .commit: return .committed(.init())
    case .ask(let questions):
      var answers: [Reconciliation.Answer] = []
      for question in questions {
        guard let snapshot = try? stripe.answer(question) else { return nil }
        knowledge.learnAnswer(snapshot, answeredAt: now)
        answers.append(.init(question: question, snapshot: snapshot, answeredAt: now))
      }
      return .answered(answers, nil)
    case .replaceCredential: return .credentialReplaced
    case .look(let asked):
      return .looked(
        asked.mapValues { .init(id: $0, status: .active, expiresAt: nil, policy: "policy_lk_a") }, nil)
    case .call(let step, _): return .succeeded(StepOutcome(result: result(of: step)))
    case .writeBack: return .wroteBack(note: nil)
    case .revokeLost: return .lostRevoked(found: [])
    case .lookAtFormer(let license):
      return .sawFormer(.init(id: license, status: .active, expiresAt: nil, policy: "policy_lk_a"))
    case .findGone: return .foundGone([])
    case .finish: return nil
    }
  }

  private mutating func result(of step: Step) -> StepResult {
    switch step {
    case .createCustomer: return .customer("cst_1")
    case .createSubscription: return .subscription("sub_1")
    case .createOrder: return .order("ord_1")
    case .issue:
      licenses += 1
      return .license(LicenseID("lic_new_\(licenses)"))
    default: return .done
    }
  }

  /// Everything that was committed, and what was done outside, without the steps' particulars.
  static func word(_ action: Reconciliation.Action) -> String {
    switch action {
    case .load: "load"
    case .findCustomer: "find customer"
    case .commit(let writes): "commit: \(writes.map(word).joined(separator: ", "))"
    case .ask(let questions): "ask for \(questions.map(\.sentence).joined(separator: ", "))"
    case .replaceCredential: "replace credential"
    case .look(let licenses): "look at \(licenses.values.map(\.rawValue).sorted().joined(separator: ", "))"
    case .call(let step, _): "call \(word(step))"
    case .writeBack(let target, _): "write back to \(target.kind)"
    case .revokeLost: "revoke what was lost"
    case .lookAtFormer(let license): "look at former \(license)"
    case .findGone(let records): "find gone: \(records.map(\.name).joined(separator: ", "))"
    case .finish(let result): "finish: \(word(result))"
    }
  }

  private static func word(_ write: Reconciliation.Write) -> String {
    switch write {
    case .learn: "learn"
    case .adopt: "adopt"
    case .tell(let subscriptions): "tell \(subscriptions.map(\.rawValue).joined(separator: ", "))"
    case .observe: "observe"
    case .noteChange: "note change"
    case .begin(let step, _): "begin \(word(step))"
    case .record(let step, let outcome, _, _): "\(outcome.isLeftOut ? "leave out" : "record") \(word(step))"
    case .fail(let step, _): "fail \(word(step))"
    case .restore: "restore"
    case .forget: "forget"
    case .forgetGone(let gone): "forget \(gone.map(\.name).joined(separator: ", "))"
    case .note: "note"
    case .show: "show"
    case .end(.done): "end"
    case .end(.failed): "end as failed"
    case .end(.again): "end for now"
    case .end(.blocked): "end until a person acts"
    }
  }

  private static func word(_ step: Step) -> String {
    switch step {
    case .createCustomer: "customer"
    case .createOrder: "order"
    case .issue(_, _, let generation): "license \(generation)"
    case .assignFeature: "feature"
    case .setOrderStatus(_, let status): "order \(status.rawValue)"
    case .suspend: "suspension"
    case .revoke: "revocation"
    case .writeBack(let target, _): "ids of \(target.kind)"
    default: step.sentence
    }
  }

  private static func word(_ result: Reconciliation.Result) -> String {
    switch result {
    case .done: "done"
    case .again: "again"
    case .outage(let outage): "\(outage.side.rawValue) is away"
    case .blocked(let unavailable): unavailable.reason.rawValue
    case .failed: "failed"
    case .lost: "lost"
    }
  }
}

extension MetadataTarget {
  fileprivate var kind: String {
    switch self {
    case .checkoutSession: "session"
    case .paymentIntent: "payment"
    case .subscription: "subscription"
    case .invoice: "invoice"
    case .customer: "customer"
    }
  }
}
