import Foundation
import Identity
import LicenseKitAPI
import Postgres
import Purchases
import Queue
import StripeAPI

/// Performs the consecutive database actions of a run in one transaction.
struct RunTransaction {
  private let reconciler: Reconciler
  private let lease: PurchaseLease
  private let transaction: PostgresTransaction
  private(set) var run: Reconciliation
  /// The timeline entry of the step that was begun last.
  private(set) var entry: Int64?

  init(
    _ reconciler: Reconciler, _ lease: PurchaseLease, _ transaction: PostgresTransaction, _ run: Reconciliation,
    entry: Int64?
  ) {
    self.reconciler = reconciler
    self.lease = lease
    self.transaction = transaction
    self.run = run
    self.entry = entry
  }

  private var tenant: Tenant { lease.tenant }
  private var index: PurchaseIndex { PurchaseIndex(tenant: tenant, transaction: transaction) }
  private var facts: FactStore { FactStore(tenant: tenant, transaction: transaction) }
  private var records: RecordStore {
    RecordStore(tenant: tenant, purchase: lease.purchase, transaction: transaction)
  }
  private var timeline: Timeline { Timeline(tenant: tenant, purchase: lease.purchase, transaction: transaction) }

  /// - Returns: the next action, which is performed outside the transaction.
  mutating func perform(_ first: Reconciliation.Action) async throws -> Reconciliation.Action {
    var action = first
    while let input = try await input(of: action) { action = run.next(input, now: reconciler.clock()) }
    return action
  }

  private mutating func input(of action: Reconciliation.Action) async throws -> Reconciliation.Input? {
    switch action {
    case .load:
      try await facts.linkCharges(of: lease.purchase)
      return .loaded(try await Reconciliation.Loaded(of: lease.purchase, tenant, in: transaction))
    case .findCustomer(let code): return .customer(try await records.customer(code))
    case .commit(let writes):
      var committed = Reconciliation.Committed()
      for write in writes {
        // The remaining writes no longer concern this purchase.
        guard try await perform(write, &committed) else { return .leaseLost }
      }
      return .committed(committed)
    default: return nil
    }
  }

  /// - Returns: false if the purchase turned out to be another one.
  private mutating func perform(
    _ write: Reconciliation.Write, _ committed: inout Reconciliation.Committed
  ) async throws -> Bool {
    switch write {
    case .learn(let answers, let asked): return try await learn(answers, asked)
    case .adopt(let decision, let pinned): try await adopt(decision, pinned)
    case .tell(let subscriptions): try await index.requestReconcile(of: subscriptions, besides: lease.purchase)
    case .observe(let unit, let recorded): try await records.observe(unit, recorded)
    case .noteChange(let unit, let license, let changes): try await noteChange(unit, license, changes)
    case .begin(let step, let recorded):
      try await records.begin(step, recorded)
      entry = try await timeline.add(.step, step.sentence, state: .started)
    case .record(let step, let outcome, let before, let after): try await record(step, outcome, before, after)
    case .fail(_, let detail): try await finishEntry(.failed, detail)
    case .restore(let unit, let recorded): try await records.restore(unit, recorded)
    case .forget(let unit): try await records.forget(unit)
    case .forgetGone(let gone): for record in gone { try await records.forget(record) }
    case .note(let title, let detail): try await timeline.add(.note, title, detail: detail)
    case .show(let decision):
      try await lease.show(decision, in: transaction)
      committed.othersWait = try await lease.othersWait(in: transaction)
    case .end(let ending): try await end(ending)
    }
    return true
  }

  // MARK: What was found out

  private func learn(_ answers: [Reconciliation.Answer], _ asked: Knowledge) async throws -> Bool {
    var isAnother = false
    for answer in answers {
      for snapshot in answer.snapshot.withShares {
        let isNews = try await facts.learnAnswer(
          snapshot, answeredAt: answer.answeredAt, knowing: asked.facts[snapshot.key], newestKnown: asked.newest)
        if isNews, case .invoiceShare(let subscription, _) = snapshot {
          try await index.requestReconcile(of: [subscription], besides: lease.purchase)
        }
      }
      try await timeline.add(
        .note, "Asked Stripe for \(answer.question.sentence).",
        detail: answer.snapshot.state.map { "The answer: \($0)." })
      guard let linked = try await index.link(answer.snapshot, to: lease.purchase, knowing: asked),
        linked.purchase != lease.purchase
      else { continue }
      // Facts about a shared payment are only borrowed, so the purchase goes on.
      if linked.isOwn { isAnother = true }
      try await index.requestReconcile(of: linked.purchase)
    }
    return !isAnother
  }

  private func adopt(_ decision: Decision, _ pinned: [LineKey: Decider.PinnedTerms]) async throws {
    try await records.pinTerms(of: decision.linesToPin, knowing: pinned)
    try await records.setUnmapped(decision.unmapped)
    // A first sale with no cause against it has nothing to report.
    if !pinned.isEmpty || decision.lines.contains(where: { !$0.causes.isEmpty }) {
      try await records.setCauses(of: decision)
    }
    try await timeline.addDecision(decision.status.decided, detail: decision.summary)
  }

  private func noteChange(_ unit: UnitKey, _ license: LicenseID, _ changes: Set<ManualOverride>) async throws {
    let what =
      changes.isEmpty
      ? "is again as this service left it" : "was \(changes.sorted().map(\.sentence).joined(separator: " and "))"
    try await timeline.add(
      .note, "License \(unit.ordinal) of line \(unit.line) \(what) at LicenseKit.",
      detail: "License \(license). This service leaves the change as it is until the license is released.")
  }

  // MARK: What was done

  private mutating func record(
    _ step: Step, _ outcome: StepOutcome, _ before: Recorded, _ after: Recorded
  ) async throws {
    try await records.record(step, outcome.result, after: after, keyHint: outcome.keyHint)
    var isIssue = false
    if let key = outcome.key, case .license(let id) = outcome.result {
      try await reconciler.vault.store(key, of: id, for: tenant, in: transaction)
      isIssue = true
    }
    let recorded = RecordedStep(
      tenant: tenant, purchase: lease.purchase, step: step, before: before, after: after, isIssue: isIssue)
    for listener in reconciler.listeners { try await listener.recorded(recorded, in: transaction) }
    try await finishEntry(outcome.isLeftOut ? .failed : .succeeded, outcome.note)
  }

  private mutating func finishEntry(_ state: Timeline.State, _ detail: String?) async throws {
    guard let entry else { return }
    try await timeline.finish(entry, state, detail: detail)
    self.entry = nil
  }

  private func end(_ ending: Reconciliation.Ending) async throws {
    switch ending {
    case .done(let decision, let nextLook):
      try await lease.end(
        .init(decision: decision, status: decision.status, reason: decision.reason, nextLook: nextLook),
        in: transaction)
    case .failed(let decision, let reason, let attempts):
      try await lease.end(
        .init(decision: decision, status: .failed, reason: reason, attempts: attempts), in: transaction)
      try await records.openUnusedTerms()
    case .again(let moment, let attempts, let reason):
      try await lease.release(retryAt: moment, attempts: attempts, reason: reason, in: transaction)
    case .blocked(let unavailable, let attempts):
      let sentence = Blockage(unavailable).sentence
      try await lease.release(retryAt: nil, attempts: attempts, reason: sentence, in: transaction)
      if lease.reason != sentence {
        try await timeline.add(.note, "Waits until the connection works again.", detail: sentence)
      }
    }
  }
}

extension Reconciliation.Loaded {
  /// Reads what is known and recorded about a purchase.
  /// - Parameter answers: further answers by Stripe that are not stored.
  init(
    of purchase: PurchaseID, _ tenant: Tenant, answers: [Reconciliation.Answer] = [],
    in transaction: PostgresTransaction
  ) async throws {
    var knowledge = try await FactStore(tenant: tenant, transaction: transaction).knowledge(of: purchase)
    for answer in answers { knowledge.learnAnswer(answer.snapshot, answeredAt: answer.answeredAt) }
    let references = knowledge.soldReferences
    self.init(
      knowledge: knowledge,
      recorded: try await RecordStore(tenant: tenant, purchase: purchase, transaction: transaction).load(),
      mappings: try await MappingStore(tenant: tenant, transaction: transaction)
        .mappings(products: references.products, prices: references.prices),
      settings: try await SettingsStore(tenant: tenant, transaction: transaction).load())
  }
}
