import Foundation
import Identity
import LicenseKitAPI
import Purchases
import StripeAPI

/// A run that changes nothing: the same value as in a real run, performed by only reading, as if each step succeeded.
///
/// So a dry run, an explanation or a backfill predicts what the reconciler would do.
struct Rehearsal: Sendable {
  /// What should exist; with open questions if those cannot be asked.
  private(set) var decision: Decision?
  /// The decision in the form that people would finally see.
  private(set) var described: Decision?
  /// What would be done at LicenseKit, in order.
  private(set) var steps: [Step] = []
  /// What would count as changed by hand.
  private(set) var changes: [(unit: UnitKey, what: Set<ManualOverride>)] = []
  /// Why the run would not finish.
  private(set) var obstacle: String?

  /// The questions that must be answered first but cannot be asked.
  var questions: [Question] { decision?.questions ?? [] }

  /// - Throws: what the stage throws.
  init(
    of tenant: Tenant, _ beginning: Reconciliation.Beginning = .init(), on stage: inout some RehearsalStage, now: Date
  ) async throws {
    var run = Reconciliation(of: tenant, beginning, now: now)
    var action = run.begin()
    while let input = try await perform(action, on: &stage) {
      action = run.next(input, now: now)
      decision = run.latest
    }
  }

  /// - Returns: nil at the end.
  private mutating func perform(
    _ action: Reconciliation.Action, on stage: inout some RehearsalStage
  ) async throws -> Reconciliation.Input? {
    switch action {
    case .load: return .loaded(try await stage.load())
    case .findCustomer(let code): return .customer(try await stage.customer(code))
    case .commit(let writes):
      for write in writes { note(write) }
      return .committed(.init())
    case .ask(let questions):
      var answers: [Reconciliation.Answer] = []
      for question in questions {
        guard let answer = try await stage.answer(question) else { return nil }
        answers.append(answer)
      }
      return .answered(answers, nil)
    case .look(let licenses):
      var seen: [UnitKey: SeenLicense] = [:]
      for (key, license) in licenses.sorted(by: { $0.key < $1.key }) { seen[key] = try await stage.look(at: license) }
      return .looked(seen, nil)
    case .call(let step, _): return .succeeded(StepOutcome(result: step.plannedResult))
    case .writeBack: return .wroteBack(note: nil)
    case .finish(.again(let reason)), .finish(.failed(let reason)):
      obstacle = reason
      return nil
    // Nothing is refused here.
    case .finish, .replaceCredential, .revokeLost, .lookAtFormer, .findGone: return nil
    }
  }

  private mutating func note(_ write: Reconciliation.Write) {
    switch write {
    case .begin(let step, _) where !step.isOptional: steps.append(step)
    case .noteChange(let unit, _, let what) where !what.isEmpty: changes.append((unit, what))
    case .end(.done(let decision, _)): described = decision
    default: break
    }
  }
}

/// Where a rehearsal reads from.
protocol RehearsalStage {
  /// What is known and recorded by now, including the answers given.
  mutating func load() async throws -> Reconciliation.Loaded
  mutating func customer(_ code: String) async throws -> Recorded.Customer?
  /// - Returns: nil if Stripe cannot be asked.
  mutating func answer(_ question: Question) async throws -> Reconciliation.Answer?
  /// - Returns: nil if LicenseKit is not asked; then the license counts as unchanged.
  mutating func look(at license: LicenseID) async throws -> SeenLicense?
}

extension RehearsalStage {
  mutating func customer(_ code: String) async throws -> Recorded.Customer? { nil }
  mutating func look(at license: LicenseID) async throws -> SeenLicense? { nil }
}

extension Step {
  /// The answer that the outside world would give.
  fileprivate var plannedResult: StepResult {
    switch self {
    case .createCustomer: .customer("planned")
    case .createSubscription: .subscription("planned")
    case .createOrder: .order("planned")
    case .issue(let unit, _, let generation): .license(LicenseID("planned \(unit.key) \(generation)"))
    default: .done
    }
  }
}
