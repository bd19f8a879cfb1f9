package import Foundation
import Identity
package import LicenseKitAPI
package import StripeAPI

/// One run over one purchase, as a value: it is told what happened and says what to do next. It contains no database, network
/// or clock.
///
/// First sale, duplicate, late event, replay, backfill, crash and changed mapping are all this one run. So are the runs that
/// change nothing (`Rehearsal`) and those of the property tests. A run may stop after any action: the next one continues from
/// what was recorded.
///
/// The states follow one another like this. From each, a refusal leads to the end, by way of what must be repaired first:
///
///     loading ─▶ asking ─▶ loading …      until Stripe need not be asked any more
///             ─▶ findingCustomer ─▶ looking ─▶ calling ─▶ calling …      until the plan is empty
///                                                       ─▶ writingBack … ─▶ finished
///
/// `committing` stands between any two of them if something is asked or done outside.
package struct Reconciliation: Sendable {
  /// How many times Stripe is asked in one run before the purchase waits for its next claim.
  package static let maximumRounds = 12
  /// How many times a plan is made in one run. Every step taken makes the next plan shorter.
  static let maximumPlans = 12
  /// The most outside calls in a row without a write, so that the lease is extended in time.
  package static let batch = 25
  /// A refused credential is replaced twice. The cached one is replaced by the stored one, which may have expired as well;
  /// that is replaced by a new one.
  static let maximumReplacements = 2

  package let tenant: Tenant
  package let beginning: Beginning
  package var state = State.idle
  package var now: Date

  /// The last decision, even if questions were open.
  private(set) package var latest: Decision?
  /// What should exist, once nothing more must be asked.
  private(set) package var decision: Decision?
  /// What is recorded so far in this run.
  package var recorded = Recorded()
  private var knowledge = Knowledge()
  private var rounds = 0
  private var replacements = 0

  // Applying
  var plans = 0
  package var due: ArraySlice<Step> = []
  package var seen: Set<UnitKey> = []
  package var writeBacks: ArraySlice<Step> = []
  /// The decision as people see it, and when to look again.
  package var outlook: (described: Decision, nextLook: Date?)?
  /// Everything except optional steps is done: a later failure does not change the state of the purchase.
  var isFulfilled = false

  package init(of tenant: Tenant, _ beginning: Beginning = .init(), now: Date) {
    self.tenant = tenant
    self.beginning = beginning
    self.now = now
  }

  package indirect enum State: Sendable {
    case idle
    case loading
    case findingCustomer
    case asking
    case replacingCredential(then: Next)
    case committing(Next)
    case looking([UnitKey])
    case calling(Step, before: Recorded)
    case writingBack(Step)
    case revokingLost(Lost)
    case lookingAtFormer(Lost)
    case findingGone(GoneSearch)
    case finished
  }

  /// What to do once everything before it is committed.
  package indirect enum Next: Sendable {
    case load
    case goOn
    case look([UnitKey: LicenseID])
    case call(Step, before: Recorded)
    case beginWriteBacks
    case writeBack(Step)
    case replaceCredential(then: Next)
    case revokeLost(Lost)
    case findGone(GoneSearch)
    case finish(Result)
  }

  /// The run is about to leave its purchase, and nothing is left to repair.
  package var isEnding: Bool {
    if case .committing(.finish) = state { true } else { false }
  }

  // MARK: Inputs

  package mutating func begin() -> Action {
    state = .loading
    return .load
  }

  /// - Parameter input: the outcome of the previous action.
  package mutating func next(_ input: Input, now: Date) -> Action {
    self.now = now
    switch (state, input) {
    case (_, .leaseLost): return finish(.lost)
    case (_, .refused(let refusal)): return refused(refusal)
    case (.loading, .loaded(let loaded)): return decide(loaded)
    case (.findingCustomer, .customer(let customer)): return adopt(customer)
    case (.asking, .answered(let answers, let refusal)): return answered(answers, refusal)
    case (.replacingCredential(let next), .credentialReplaced): return go(next)
    case (.committing(let next), .committed(let committed)): return go(next, committed)
    case (.looking, .looked(let licenses, let refusal)): return looked(licenses, refusal)
    case (.calling(let step, let before), .succeeded(let outcome)): return succeeded(step, outcome, before)
    case (.writingBack(let step), .wroteBack(let note)):
      replacements = 0
      return wroteBack(step, note)
    case (.revokingLost(let lost), .lostRevoked(let found)): return lostRevoked(lost, found)
    case (.lookingAtFormer(let lost), .sawFormer(let license)): return sawFormer(license, lost)
    case (.findingGone(let search), .foundGone(let gone)): return foundGone(gone, search)
    default:
      assertionFailure("a run was told what does not follow from what it wanted")
      return finish(.lost)
    }
  }

  // MARK: Deciding

  private mutating func decide(_ loaded: Loaded) -> Action {
    (knowledge, recorded) = (loaded.knowledge, loaded.recorded)
    let decision = Decider(
      tenant: tenant, mappings: loaded.mappings, pinned: recorded.pinned, settings: loaded.settings, now: now
    ).decide(knowledge)
    latest = decision
    guard decision.questions.isEmpty else { return ask(decision.questions) }
    self.decision = decision
    guard let code = decision.customer?.code else { return adopt(nil) }
    state = .findingCustomer
    return .findCustomer(code: code)
  }

  private mutating func ask(_ questions: [Question]) -> Action {
    guard rounds < Self.maximumRounds else {
      return respond(
        RetryBackoff.response(
          "The facts of this purchase do not settle.", attempts: beginning.attempts, jitter: beginning.jitter,
          atLeast: 30))
    }
    // Many questions are asked in parts; the remaining parts count as the same round.
    let part = Array(questions.prefix(Self.batch))
    if part.count == questions.count { rounds += 1 }
    state = .asking
    return .ask(part)
  }

  private mutating func answered(_ answers: [Answer], _ refusal: Refusal?) -> Action {
    let writes: [Write] = answers.isEmpty ? [] : [.learn(answers, asked: knowledge)]
    if !answers.isEmpty { replacements = 0 }
    guard let refusal else { return commit(writes, then: .load) }
    return replaceCredential(after: refusal, writes, then: .load) ?? trouble(refusal, writes)
  }

  /// Another credential may be accepted after this one was refused.
  package mutating func replaceCredential(after refusal: Refusal, _ writes: [Write], then next: Next) -> Action? {
    guard refusal.stripe == .credential || refusal.stripe == .accountGone, replacements < Self.maximumReplacements
    else { return nil }
    replacements += 1
    return commit(writes, then: .replaceCredential(then: next))
  }

  private mutating func adopt(_ customer: Recorded.Customer?) -> Action {
    guard let decision else { return finish(.lost) }
    if let code = decision.customer?.code, let customer {
      recorded.customers[code] = customer.id
      recorded.contacts[code] = customer.contact
    }
    var writes: [Write] = [.adopt(decision.described(with: recorded, now: now), knowing: recorded.pinned)]
    if !decision.sharers.isEmpty { writes.append(.tell(decision.sharers)) }
    recorded.pinTerms(of: decision.linesToPin)
    return goOn(writes)
  }

  // MARK: Going on

  /// Writes what is due before the next action.
  /// - Parameter holdingLease: commits even if there is nothing to write, to check the lease.
  package mutating func commit(_ writes: [Write], then next: Next, holdingLease: Bool = false) -> Action {
    if writes.isEmpty, !holdingLease { return go(next) }
    state = .committing(next)
    return .commit(writes)
  }

  private mutating func go(_ next: Next, _ committed: Committed = .init()) -> Action {
    switch next {
    case .load:
      state = .loading
      return .load
    case .goOn: return goOn()
    case .look(let licenses):
      state = .looking(licenses.keys.sorted())
      return .look(licenses)
    case .call(let step, let before):
      state = .calling(step, before: before)
      return .call(step, before: before)
    case .beginWriteBacks: return beginWriteBacks(othersWait: committed.othersWait)
    case .writeBack(let step):
      guard case .writeBack(let target, let metadata) = step else { return finish(.lost) }
      state = .writingBack(step)
      return .writeBack(target, metadata)
    case .replaceCredential(let next):
      state = .replacingCredential(then: next)
      return .replaceCredential
    case .revokeLost(let lost):
      state = .revokingLost(lost)
      return .revokeLost(lost.unit, generation: lost.generation, lost.before)
    case .findGone(let search):
      state = .findingGone(search)
      return .findGone(search.part)
    case .finish(let result): return finish(result)
    }
  }

  package mutating func finish(_ result: Result) -> Action {
    state = .finished
    return .finish(result)
  }

  /// The plan, for the moment that the decision was made for.
  package func plan(_ decision: Decision) -> Plan { Plan(decision, recorded: recorded, now: now) }
}

extension Decision {
  /// The lines whose terms are kept: all parts of a bundle at once, including parts that nothing is issued for yet.
  package var linesToPin: [DesiredLine] {
    let sold = Set(lines.filter { !$0.units.isEmpty }.map(\.key.line))
    return lines.filter { sold.contains($0.key.line) }
  }
}
