import Foundation
import Identity
import LicenseKitAPI
import Postgres
import StripeAPI

/// One run over one purchase, under its lease.
struct ReconcilerRun {
  let reconciler: Reconciler
  let lease: PurchaseLease
  /// The last decision, as far as the run has come.
  private(set) var decision: Decision?
  /// Everything but what is optional is done: a later failure does not change what the purchase is.
  private(set) var isFulfilled = false

  private var session: StripeSession?

  init(reconciler: Reconciler, lease: PurchaseLease) {
    self.reconciler = reconciler
    self.lease = lease
  }

  private var tenant: Tenant { lease.tenant }
  private var database: TenantDatabase { reconciler.database }

  mutating func work() async throws {
    let (decided, recorded) = try await decide()
    decision = decided
    try await adopt(decided.told(with: recorded, now: reconciler.clock()), recorded)
    let outcome = try await apply(decided, recorded)
    let decision = decided.told(with: outcome.recorded, now: reconciler.clock())
    self.decision = decision
    let nextLook = [decision.nextLook, outcome.nextLook].compactMap { $0 }.min()
    let optional = outcome.optional
    if optional.isEmpty {
      try await end(decision, nextLook: nextLook)
      return
    }
    // The licenses are there: the purchase says so before the write-back, which may wait for Stripe.
    let othersWait = try await database.transaction(for: tenant) { [lease] transaction in
      try await lease.hold(in: transaction)
      try await Self.show(decision, lease, in: transaction)
      return try await Self.othersWait(besides: lease, in: transaction)
    }
    isFulfilled = true
    if othersWait, lease.status != decision.status.rawValue {
      // The calls that Stripe allows go to those first who have no license yet; once, so that none is put off for ever.
      try await end(decision, nextLook: reconciler.clock())
      return
    }
    for step in optional { try await writeBack(step) }
    try await end(decision, nextLook: nextLook)
  }

  // MARK: Deciding

  private struct State {
    var knowledge: Knowledge
    var recorded: Recorded
    var mappings: [Mapping]
    var settings: TenantSettings
  }

  private func load(customer code: String?) async throws -> State {
    try await database.transaction(for: tenant) { [lease] transaction in
      try await lease.hold(in: transaction)
      let tenant = lease.tenant
      let facts = FactStore(tenant: tenant, transaction: transaction)
      try await facts.linkCharges(of: lease.purchase)
      let knowledge = try await facts.knowledge(of: lease.purchase)
      let references = knowledge.soldReferences
      return State(
        knowledge: knowledge,
        recorded: try await RecordStore(tenant: tenant, purchase: lease.purchase, transaction: transaction)
          .load(customer: code),
        mappings: try await MappingStore(tenant: tenant, transaction: transaction)
          .mappings(products: references.products, prices: references.prices),
        settings: try await SettingsStore(tenant: tenant, transaction: transaction).load())
    }
  }

  /// Decides, and asks Stripe as long as a decision needs what is not known.
  private mutating func decide() async throws -> (Decision, Recorded) {
    var code: String?
    for _ in 0..<Reconciler.maximumRounds {
      let state = try await load(customer: code)
      let decision = Decider(
        tenant: tenant, mappings: state.mappings, agreed: state.recorded.agreed, settings: state.settings,
        now: reconciler.clock()
      ).decide(state.knowledge)
      if decision.questions.isEmpty {
        // The buyer's record is shared between purchases: it is looked up by its code.
        if let wanted = decision.customer?.code, wanted != code {
          code = wanted
          let recorded = try await load(customer: code).recorded
          return (decision, recorded)
        }
        return (decision, state.recorded)
      }
      for question in decision.questions { try await ask(question, knowing: state.knowledge) }
    }
    throw StripeError(message: "The facts of this purchase do not settle.", retry: .retry(after: .seconds(30)))
  }

  private mutating func ask(_ question: Question, knowing knowledge: Knowledge) async throws {
    let answer = try await withSession { try await StripeQuestions(session: $0).ask(question) }
    let known = knowledge.facts[question.key]
    let aliases = answer.snapshot.aliases
    try await database.transaction(for: tenant) { [lease] transaction in
      let index = PurchaseIndex(tenant: lease.tenant, transaction: transaction)
      if !aliases.isEmpty { try await index.lock() }
      try await lease.hold(in: transaction)
      try await FactStore(tenant: lease.tenant, transaction: transaction)
        .learnAnswer(
          answer.snapshot, answeredAt: answer.answeredAt, knowing: known, newestKnown: knowledge.newest)
      try await Timeline(tenant: lease.tenant, purchase: lease.purchase, transaction: transaction)
        .add(
          .note, "Asked Stripe for \(question.sentence).",
          detail: answer.snapshot.state.map { "The answer: \($0)." })
      guard !aliases.isEmpty else { return }
      let purchase = try await index.purchase(of: aliases + [lease.purchase.rawValue], creating: false)
      if let purchase, purchase != lease.purchase { try await index.mark(purchase) }
    }
  }

  /// Runs calls to Stripe; a credential that is refused is replaced. One of before a new installation is refused as if the
  /// account were gone.
  ///
  /// Twice: what replaces a token that this process remembered is the stored one, which may have ended as well; what
  /// replaces that one is new.
  private mutating func withSession<T>(_ body: (StripeSession) async throws -> T) async throws -> T {
    var current: StripeSession
    if let session {
      current = session
    } else {
      current = try await reconciler.stripe.session(for: tenant, replacing: nil)
      session = current
    }
    for _ in 0..<2 {
      do {
        return try await body(current)
      } catch let error as StripeError where error.retry == .credential || error.retry == .accountGone {
        current = try await reconciler.stripe.session(for: tenant, replacing: current)
        session = current
      }
    }
    return try await body(current)
  }

  // MARK: Applying

  private func adopt(_ decision: Decision, _ recorded: Recorded) async throws {
    try await database.transaction(for: tenant) { [lease] transaction in
      try await lease.hold(in: transaction)
      let store = RecordStore(tenant: lease.tenant, purchase: lease.purchase, transaction: transaction)
      try await store.agree(decision.lines, knowing: recorded.agreed)
      try await store.setUnmapped(decision.unmapped)
      // A first sale with nothing against it has nothing to be told.
      if !recorded.agreed.isEmpty || decision.lines.contains(where: { !$0.causes.isEmpty }) {
        try await store.setCauses(of: decision)
      }
      try await Timeline(tenant: lease.tenant, purchase: lease.purchase, transaction: transaction)
        .addDecision(decision.status.decided, detail: decision.story)
    }
  }

  private func apply(
    _ decision: Decision, _ recorded: Recorded
  ) async throws -> (optional: [Step], nextLook: Date?, recorded: Recorded) {
    var recorded = recorded
    for line in decision.lines { recorded.agreed[line.key] = line.agreement }
    try await forgetOvertaken(decision, &recorded)
    var runner: StepRunner?
    var seen: Set<UnitKey> = []
    while true {
      let plan = Plan(decision, recorded: recorded, now: reconciler.clock())
      let due = plan.steps.filter { !$0.isOptional }
      let unseen = licensesToLookAt(before: due, recorded).filter { !seen.contains($0) }
      if due.isEmpty, unseen.isEmpty { return (plan.steps, plan.nextLook, recorded) }
      let steps: StepRunner
      if let runner {
        steps = runner
      } else {
        steps = StepRunner(
          tenant: tenant, licenseKit: try await reconciler.licenseKit.client(for: tenant), customer: decision.customer)
        runner = steps
      }
      guard unseen.isEmpty else {
        for unit in unseen { try await look(at: unit, with: steps, &recorded) }
        seen.formUnion(unseen)
        continue
      }
      for step in due { try await take(step, with: steps, &recorded) }
    }
  }

  /// Before a license is changed it is looked at, since a person may have changed it at LicenseKit; all of a purchase
  /// are when that was asked for.
  private func licensesToLookAt(before steps: [Step], _ recorded: Recorded) -> [UnitKey] {
    let changed = Set(steps.compactMap(\.changedLicense))
    return recorded.units.keys.sorted().filter { key in
      guard case .issued(_, let status, _, _)? = recorded.units[key]?.license, status != .revoked else { return false }
      return lease.inspects || changed.contains(key)
    }
  }

  private func look(at key: UnitKey, with runner: StepRunner, _ recorded: inout Recorded) async throws {
    guard let license = try await runner.look(at: key, recorded) else { return }
    let before = recorded.units[key]
    guard let changes = recorded.units[key]?.observe(license.status, expiresAt: license.expiresAt),
      recorded.units[key] != before
    else { return }
    let after = recorded
    try await database.transaction(for: tenant) { [lease] transaction in
      try await lease.hold(in: transaction)
      try await RecordStore(tenant: lease.tenant, purchase: lease.purchase, transaction: transaction)
        .observe(key, after)
      let what =
        changes.isEmpty
        ? "is as this service left it again" : "was \(changes.sorted().map(\.sentence).joined(separator: " and "))"
      try await Timeline(tenant: lease.tenant, purchase: lease.purchase, transaction: transaction)
        .add(
          .note, "License \(key.ordinal) of line \(key.line) \(what) at LicenseKit.",
          detail: "License \(license.id). What is changed by hand is left so until it is released.")
    }
  }

  private func take(_ step: Step, with runner: StepRunner, _ recorded: inout Recorded) async throws {
    let before = recorded
    recorded.begin(step)
    let entry = try await start(step, recorded)
    var outcome: StepRunner.Outcome
    do {
      let trace = LicenseKitTrace()
      outcome = try await LicenseKitTrace.$current.withValue(trace) { try await runner.run(step, before) }
      outcome.note = trace.told(after: outcome.note)
    } catch {
      try await fail(entry, error)
      if let refusal = error as? LicenseKitError, !refusal.mayHaveTakenEffect {
        try await takeBack(step, before, refusal, runner)
      }
      throw error
    }
    recorded.apply(step, outcome.result)
    let after = recorded
    try await database.transaction(for: tenant) { [lease, reconciler] transaction in
      try await lease.hold(in: transaction)
      try await RecordStore(tenant: lease.tenant, purchase: lease.purchase, transaction: transaction)
        .record(step, outcome.result, after: after, keyHint: outcome.keyHint)
      try await NoticeOutbox(tenant: lease.tenant, purchase: lease.purchase, transaction: transaction)
        .note(step, before: before, after: after)
      if let key = outcome.key, case .license(let id) = outcome.result {
        try await reconciler.vault.store(key, of: id, for: lease.tenant, in: transaction)
        try await LicenseWatch.begin(for: lease.tenant, in: transaction)
      }
      try await Timeline(tenant: lease.tenant, purchase: lease.purchase, transaction: transaction)
        .finish(entry, .succeeded, detail: outcome.note)
    }
  }

  private func start(_ step: Step, _ begun: Recorded) async throws -> Int64 {
    try await database.transaction(for: tenant) { [lease] transaction in
      try await lease.hold(in: transaction)
      try await RecordStore(tenant: lease.tenant, purchase: lease.purchase, transaction: transaction)
        .begin(step, begun)
      return try await Timeline(tenant: lease.tenant, purchase: lease.purchase, transaction: transaction)
        .add(.step, step.sentence, state: .started) ?? 0
    }
  }

  private func fail(_ entry: Int64, _ error: any Error) async throws {
    let detail: String =
      switch error {
      case let error as LicenseKitError: error.description
      case let error as StripeError: error.description
      default: "\(type(of: error))"
      }
    try await database.transaction(for: tenant) { [lease] transaction in
      try await Timeline(tenant: lease.tenant, purchase: lease.purchase, transaction: transaction)
        .finish(entry, .failed, detail: detail)
    }
  }

  /// Writes ids to Stripe's object. What the vendor has not permitted is noted and not tried again.
  private mutating func writeBack(_ step: Step) async throws {
    guard case .writeBack(let target, let metadata) = step else { return }
    let entry = try await start(step, Recorded())
    // Stripe repeats the answer of a key for a day, its own errors included (API reference, "Idempotent requests"): so each
    // run has another key. Writing the same values twice does no harm.
    let key = "licensekit:\(target.stripeID):\(metadata.hashText):\(lease.fence)"
    var (state, note) = (Timeline.State.succeeded, String?.none)
    do {
      let answer = try await withSession { try await $0.updateMetadata(of: target, metadata, idempotencyKey: key) }
      note = answer.requestID.map { "Stripe: \($0)" }
    } catch let error as StripeError {
      guard !error.retry.isTransient, error.retry != .credential, error.retry != .cancelled else {
        try await fail(entry, error)
        throw error
      }
      (state, note) = (.failed, "Left out: \(error)")
    }
    try await database.transaction(for: tenant) { [lease, state, note] transaction in
      try await lease.hold(in: transaction)
      try await RecordStore(tenant: lease.tenant, purchase: lease.purchase, transaction: transaction)
        .record(step, .done, after: Recorded())
      try await Timeline(tenant: lease.tenant, purchase: lease.purchase, transaction: transaction)
        .finish(entry, state, detail: note)
    }
  }

  // MARK: Ending

  private func end(_ decision: Decision, nextLook: Date?) async throws {
    try await database.transaction(for: tenant) { [lease] transaction in
      try await lease.end(
        .init(decision: decision, status: decision.status, reason: decision.reason, nextLook: nextLook),
        in: transaction)
    }
  }

  /// Whether purchases of the tenant wait for their licenses.
  private static func othersWait(besides lease: PurchaseLease, in transaction: PostgresTransaction) async throws -> Bool
  {
    try await transaction.query(
      """
      SELECT FROM stripe_integration.purchases
       WHERE account_id    = \(lease.tenant.account)
         AND livemode      = \(lease.tenant.livemode)
         AND attention_at <= now()
         AND lease_until  <= now()
         AND status        = 'pending'
         AND merged_into IS NULL
         AND purchase_id  <> \(lease.purchase)
       LIMIT 1
      """
    ).first != nil
  }

  /// Shows the state of the purchase while the run still goes on.
  private static func show(
    _ decision: Decision, _ lease: PurchaseLease, in transaction: PostgresTransaction
  ) async throws {
    try await transaction.query(
      """
      UPDATE stripe_integration.purchases
         SET kind        = COALESCE(\(decision.root?.kind), kind),
             stripe_id   = COALESCE(\(decision.root?.stripeID), stripe_id),
             customer_id = COALESCE(\(decision.customer?.stripeCustomer), customer_id),
             status      = \(decision.status.rawValue),
             reason      = \(decision.reason),
             updated_at  = now()
       WHERE account_id  = \(lease.tenant.account)
         AND livemode    = \(lease.tenant.livemode)
         AND purchase_id = \(lease.purchase)
         AND fence       = \(lease.fence)
      """)
  }
}
