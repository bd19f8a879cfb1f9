package import Foundation
import Identity
package import LicenseKitAPI
package import StripeAPI

/// One run over one purchase, as a value: it is told what happened and says what to do next. No database, network or clock
/// in it.
///
/// First sale, duplicate, late event, replay, backfill, crash and changed mapping are all this one run; so are the runs that
/// change nothing (`Rehearsal`), and those of the property tests. A run may stop after any action: the next one goes on from
/// what was recorded.
///
/// The states follow one another like this; from each, a refusal leads to the end by way of what it leaves to be mended:
///
///     loading ─▶ asking ─▶ loading …      until Stripe need not be asked any more
///             ─▶ findingCustomer ─▶ looking ─▶ calling ─▶ calling …      until the plan is empty
///                                                       ─▶ writingBack … ─▶ finished
///
/// `committing` stands between any two of them in which something is asked or done outside.
package struct Reconciliation: Sendable {
  /// How often Stripe is asked in one run before the purchase waits for its next turn.
  package static let maximumRounds = 12
  /// How often a plan is made: what is taken always leaves a shorter one.
  static let maximumPlans = 12
  /// Calls outside that follow one another without anything being written, so that the lease is kept in time.
  package static let batch = 25
  /// A credential that is refused is replaced twice: what replaces one that was remembered is the stored one, which may have
  /// ended as well; what replaces that one is new.
  static let maximumReplacements = 2

  package let tenant: Tenant
  package let beginning: Beginning
  package var state = State.idle
  package var now: Date

  /// The last answer to what should exist, open questions included.
  private(set) package var latest: Decision?
  /// What should exist, once nothing more need be asked.
  private(set) package var decision: Decision?
  /// What is recorded, as far as the run has come.
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
  package var outlook: (told: Decision, nextLook: Date?)?
  /// Everything but what is optional is done: a later failure does not change what the purchase is.
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

  /// What is done once everything before it is committed.
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

  /// The run is about to leave its purchase: there is nothing left to mend.
  package var isEnding: Bool {
    if case .committing(.finish) = state { true } else { false }
  }

  // MARK: Inputs

  package mutating func begin() -> Action {
    state = .loading
    return .load
  }

  /// - Parameter input: what came of the action before.
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
      tenant: tenant, mappings: loaded.mappings, agreed: recorded.agreed, settings: loaded.settings, now: now
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
        RetryPause.response(
          "The facts of this purchase do not settle.", attempts: beginning.attempts, jitter: beginning.jitter,
          atLeast: 30))
    }
    // Many questions are asked in parts, and what is left over is no new round.
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

  /// Another credential may be accepted where this one was refused.
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
    var writes: [Write] = [.adopt(decision.told(with: recorded, now: now), knowing: recorded.agreed)]
    if !decision.sharers.isEmpty { writes.append(.tell(decision.sharers)) }
    recorded.agree(to: decision.linesToAgree)
    return goOn(writes)
  }

  // MARK: Going on

  /// Writes down what is to be written before the next thing is done.
  /// - Parameter holdingLease: even when there is nothing to write.
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
  /// The lines whose terms are kept: all parts of a bundle at once, also those that nothing is issued for yet.
  package var linesToAgree: [DesiredLine] {
    let sold = Set(lines.filter { !$0.units.isEmpty }.map(\.key.line))
    return lines.filter { sold.contains($0.key.line) }
  }
}
