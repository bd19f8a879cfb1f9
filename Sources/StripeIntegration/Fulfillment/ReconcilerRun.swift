import Foundation
import Identity
import LicenseKitAPI
import Postgres
import Purchases
import Queue
import ServerKit
import StripeAPI
import StripeHTTP
import Tenancy

/// Performs one run over one purchase, under its lease: it carries out the actions that the value asks for and reports their
/// outcomes. It decides nothing.
///
/// Consecutive actions in the database are one transaction (`RunTransaction`). So each outside call stands between two
/// commits: one says that it is about to be made, and one says what came of it.
struct ReconcilerRun {
  private let reconciler: Reconciler
  private let lease: PurchaseLease
  private let jitter: Double
  private var run: Reconciliation
  private var action: Reconciliation.Action
  /// The timeline entry of the step under way.
  private var entry: Int64?

  /// How many times to begin a transaction that the database aborts in favour of another. A run that gave up at its last
  /// transaction would leave its lease behind, and the purchase would wait until the lease expires.
  private static let attempts = 3

  private var session: StripeSession?
  private var runner: StepRunner?

  private var tenant: Tenant { lease.tenant }
  private var database: TenantDatabase { reconciler.database }

  /// Takes the lease and, in the same transaction, does everything that needs nothing from outside. If a process may crash
  /// over the purchase, the lease gets a transaction of its own, so that it stays behind as a trace.
  /// - Returns: nil if another worker has the purchase, or it was set aside.
  static func begin(
    _ reconciler: Reconciler, _ purchase: PurchaseID, of tenant: Tenant
  ) async throws -> ReconcilerRun? {
    do {
      return try await uncancelled {
        try await reconciler.database.transaction(for: tenant, attempts: Self.attempts) {
          transaction -> ReconcilerRun? in
          guard let lease = try await PurchaseLease.take(purchase, of: tenant, in: transaction) else { return nil }
          if try await lease.setAside(at: reconciler.clock(), in: transaction) {
            await reconciler.recent.invalidate(tenant)
            return nil
          }
          var run = ReconcilerRun(reconciler, lease)
          if lease.wasAbandoned || reconciler.caution.isOn() { return run }
          var part = RunTransaction(reconciler, lease, transaction, run.run, entry: nil)
          run.action = try await part.perform(run.action)
          (run.run, run.entry) = (part.run, part.entry)
          return run
        }
      }
    } catch {
      // The failure may concern this purchase alone, and then no other purchase should wait for it. If the database fails,
      // this transaction fails as well.
      let lease = try await reconciler.database.transaction(for: tenant) { transaction in
        try await PurchaseLease.take(purchase, of: tenant, in: transaction)
      }
      guard let lease else { return nil }
      var run = ReconcilerRun(reconciler, lease)
      run.action = run.run.next(run.failed(error), now: reconciler.clock())
      return run
    }
  }

  private init(_ reconciler: Reconciler, _ lease: PurchaseLease) {
    self.reconciler = reconciler
    self.lease = lease
    jitter = Double.random(in: 0..<1)
    run = Reconciliation(
      of: lease.tenant,
      .init(
        attempts: lease.attempts, status: PurchaseStatus(rawValue: lease.status), reason: lease.reason,
        inspects: lease.inspects, jitter: jitter),
      now: reconciler.clock())
    action = run.begin()
  }

  /// - Throws: failures of the database.
  mutating func work() async throws -> Reconciliation.Result {
    while true {
      if case .finish(let result) = action { return result }
      if action.isOfDatabase {
        try await transact()
      } else {
        let input = await performOutside(action)
        action = run.next(input, now: reconciler.clock())
      }
      ClaimProgress.note?()
    }
  }

  // MARK: In the database

  private mutating func transact() async throws {
    do {
      let done = try await uncancelled { [reconciler, lease, run, action, entry] in
        try await reconciler.database.transaction(for: lease.tenant, attempts: Self.attempts) { transaction in
          if action.mayLink { try await TenantLock.take(lease.tenant, in: transaction) }
          try await lease.hold(in: transaction)
          var part = RunTransaction(reconciler, lease, transaction, run, entry: entry)
          let next = try await part.perform(action)
          return (run: part.run, entry: part.entry, next: next)
        }
      }
      (run, entry, action) = (done.run, done.entry, done.next)
    } catch is LeaseLost {
      action = run.next(.leaseLost, now: reconciler.clock())
    } catch {
      if run.isEnding { throw error }
      action = run.next(failed(error), now: reconciler.clock())
    }
  }

  private func failed(_ error: any Error) -> Reconciliation.Input {
    .refused(reconciler.policy.refusal(error, attempts: lease.attempts, jitter: jitter))
  }

  // MARK: Outside

  private mutating func performOutside(_ action: Reconciliation.Action) async -> Reconciliation.Input {
    if Task.isCancelled { return failed(CancellationError()) }
    do {
      switch action {
      case .ask(let questions): return await ask(questions)
      case .replaceCredential:
        session = try await reconciler.stripe.session(for: tenant, replacing: session)
        return .credentialReplaced
      case .look(let licenses): return await look(at: licenses)
      case .call(let step, let before):
        let runner = try await stepRunner()
        let trace = LicenseKitTrace()
        var outcome = try await LicenseKitTrace.$current.withValue(trace) { try await runner.run(step, before) }
        outcome.note = trace.described(after: outcome.note)
        return .succeeded(outcome)
      case .writeBack(let target, let metadata): return .wroteBack(note: try await writeBack(target, metadata))
      case .revokeLost(let unit, let generation, let recorded):
        return .lostRevoked(
          found: try await stepRunner().revokeLost(unit, generation: generation, recorded))
      case .lookAtFormer(let license):
        return .sawFormer(SeenLicense(try await stepRunner().licenseKit.getLicense(license)))
      case .findGone(let records): return .foundGone(try await stepRunner().missing(among: records))
      case .load, .findCustomer, .commit, .finish: return .leaseLost
      }
    } catch {
      return failed(error)
    }
  }

  private mutating func stepRunner() async throws -> StepRunner {
    if let runner { return runner }
    let made = StepRunner(
      tenant: tenant, licenseKit: try await reconciler.licenseKit.client(for: tenant), customer: run.decision?.customer,
      payment: run.decision?.payment)
    runner = made
    return made
  }

  private mutating func currentSession() async throws -> StripeSession {
    if let session { return session }
    let made = try await reconciler.stripe.session(for: tenant, replacing: nil)
    session = made
    return made
  }

  /// Returns the answers that came before a failure, so that none of them is asked for again.
  private mutating func ask(_ questions: [Question]) async -> Reconciliation.Input {
    var answers: [Reconciliation.Answer] = []
    do {
      let asking = StripeQuestions(session: try await currentSession())
      for question in questions { answers.append(try await asking.ask(question)) }
      return .answered(answers, nil)
    } catch {
      return .answered(
        answers, reconciler.policy.refusal(error, attempts: lease.attempts, jitter: jitter))
    }
  }

  private mutating func look(at licenses: [UnitKey: LicenseID]) async -> Reconciliation.Input {
    var seen: [UnitKey: SeenLicense] = [:]
    do {
      let licenseKit = try await stepRunner().licenseKit
      for (key, license) in licenses.sorted(by: { $0.key < $1.key }) {
        seen[key] = SeenLicense(try await licenseKit.getLicense(license))
      }
      return .looked(seen, nil)
    } catch {
      return .looked(seen, reconciler.policy.refusal(error, attempts: lease.attempts, jitter: jitter))
    }
  }

  private mutating func writeBack(_ target: MetadataTarget, _ metadata: [String: String]) async throws -> String? {
    // Stripe repeats the answer to a key for a day, even its own errors (API reference, "Idempotent requests"), so each run
    // has another key. Writing the same values twice does no harm.
    let key = "licensekit:\(target.stripeID):\(metadata.hashText):\(lease.fence)"
    let answer = try await currentSession().updateMetadata(of: target, metadata, idempotencyKey: key)
    return answer.requestID.map { "Stripe: \($0)" }
  }
}

extension Reconciliation.Action {
  /// Whether the writes may show that ids belong together.
  fileprivate var mayLink: Bool {
    guard case .commit(let writes) = self else { return false }
    return writes.contains { write in
      if case .learn(let answers, _) = write { answers.contains { $0.snapshot.links } } else { false }
    }
  }
}
