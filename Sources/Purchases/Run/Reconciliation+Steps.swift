import Foundation
import Identity
import LicenseKitAPI
import StripeAPI

// The work at LicenseKit and at Stripe, step by step.

extension Reconciliation {
  /// Takes the next step: looks at a license before changing it, takes what is due, writes ids back, or ends.
  mutating func goOn(_ writes: [Write] = []) -> Action {
    guard let decision else { return finish(.lost) }
    if let step = due.popFirst() { return begin(step, writes) }
    let plan = plan(decision)
    let steps = plan.steps.filter { !$0.isOptional }
    let unseen = licensesToLookAt(before: steps).prefix(Self.batch)
    if !unseen.isEmpty {
      let part = Dictionary(uniqueKeysWithValues: unseen)
      return commit(writes, then: .look(part), holdingLease: !seen.isEmpty)
    }
    guard !steps.isEmpty else { return settle(plan, decision, writes) }
    guard plans < Self.maximumPlans else {
      return respond(
        RetryBackoff.response(
          "The steps do not come to an end: \(steps[0].sentence).", attempts: beginning.attempts,
          jitter: beginning.jitter),
        writes)
    }
    plans += 1
    due = steps[...]
    return goOn(writes)
  }

  // MARK: Looking

  /// Which licenses to look at. A person may have changed a license at LicenseKit, so each is looked at before it is changed;
  /// all licenses of a purchase are, if that was asked for.
  private func licensesToLookAt(before steps: [Step]) -> [(UnitKey, LicenseID)] {
    let changed = Set(steps.compactMap(\.changedLicense))
    return recorded.units.sorted { $0.key < $1.key }.compactMap { key, unit in
      guard !seen.contains(key), case .issued(let id, let status, _, _) = unit.license else { return nil }
      // A license revoked by hand may be valid again; then it was not really revoked.
      let isWanted =
        status == .revoked
        ? beginning.inspects && unit.manualOverrides.contains(.revoked) : beginning.inspects || changed.contains(key)
      return isWanted ? (key, id) : nil
    }
  }

  package mutating func looked(_ licenses: [UnitKey: SeenLicense], _ refusal: Refusal?) -> Action {
    guard case .looking(let keys) = state else { return finish(.lost) }
    var writes: [Write] = []
    for (key, license) in licenses.sorted(by: { $0.key < $1.key }) {
      let before = recorded.units[key]
      let changes = recorded.units[key]?.observe(license.status, expiresAt: license.expiresAt) ?? []
      guard recorded.units[key] != before else { continue }
      writes.append(.observe(key, recorded))
      if recorded.units[key]?.manualOverrides != before?.manualOverrides {
        writes.append(.noteChange(key, license.id, changes))
      }
    }
    guard let refusal else {
      seen.formUnion(keys)
      return goOn(writes)
    }
    if case .gone = refusal.failure, let missing = keys.first(where: { licenses[$0] == nil }),
      case .issued(_, .revoked, _, _)? = recorded.units[missing]?.license
    {
      // A license that was revoked by hand is not made again if it is gone.
      seen.formUnion(licenses.keys)
      seen.insert(missing)
      return goOn(writes)
    }
    return trouble(refusal, writes)
  }

  // MARK: Taking steps

  private mutating func begin(_ step: Step, _ writes: [Write]) -> Action {
    let before = recorded
    recorded.begin(step)
    return commit(writes + [.begin(step, recorded)], then: .call(step, before: before))
  }

  package mutating func succeeded(_ step: Step, _ outcome: StepOutcome, _ before: Recorded) -> Action {
    if let status = outcome.status, step.isContradicted(by: status) {
      // Treated as if no answer had come: the step stays begun and is taken again.
      let reason = "LicenseKit answers with a license that is \(status.rawValue). \(step.sentence): not certain."
      return respond(
        RetryBackoff.response(reason, attempts: beginning.attempts, jitter: beginning.jitter), [.fail(step, reason)])
    }
    recorded.apply(step, outcome.result)
    if case (.issue(let unit, _, _), .license(let license)) = (step, outcome.result), outcome.status == .revoked {
      // LicenseKit returned the license of an earlier attempt, which was revoked meanwhile. Another is issued under another
      // name.
      due = []
      return goOn(
        [.fail(step, "License \(license) is given again, which is revoked.")] + keepRevoked(license, of: unit.key))
    }
    return goOn([.record(step, outcome, before: before, after: recorded)])
  }

  // MARK: Writing back

  /// Everything except optional steps is done.
  private mutating func settle(_ plan: Plan, _ decision: Decision, _ writes: [Write]) -> Action {
    let described = decision.described(with: recorded, now: now)
    outlook = (described, [described.nextLook, plan.nextLook].compactMap { $0 }.min())
    writeBacks = plan.steps[...]
    guard !writeBacks.isEmpty else { return end(writes) }
    // The licenses exist. The purchase says so before the write-back, which may have to wait for Stripe.
    return commit(writes + [.show(described)], then: .beginWriteBacks)
  }

  mutating func beginWriteBacks(othersWait: Bool) -> Action {
    isFulfilled = true
    if othersWait, let described = outlook?.described, beginning.status != described.status {
      // Purchases without licenses use Stripe's rate limit first. This one yields once only, so that it is not put off
      // forever.
      outlook?.nextLook = now
      return end([])
    }
    return writeNextBack([])
  }

  private mutating func writeNextBack(_ writes: [Write]) -> Action {
    guard let step = writeBacks.popFirst() else { return end(writes) }
    return commit(writes + [.begin(step, recorded)], then: .writeBack(step))
  }

  package mutating func wroteBack(_ step: Step, _ note: String?, isLeftOut: Bool = false) -> Action {
    let before = recorded
    recorded.apply(step, .done)
    let outcome = StepOutcome(result: .done, note: note, isLeftOut: isLeftOut)
    return writeNextBack([.record(step, outcome, before: before, after: recorded)])
  }

  /// What the vendor has not permitted is noted and not tried again.
  mutating func writeBackRefused(_ step: Step, _ refusal: Refusal) -> Action {
    if let action = replaceCredential(after: refusal, [], then: .writeBack(step)) { return action }
    switch refusal.stripe {
    case .permission, .accountGone, .notFound, .invalid, .idempotencyConflict:
      return wroteBack(step, "Left out: \(refusal.detail)", isLeftOut: true)
    case .retry, .rateLimited, .lockTimeout, .credential, .cancelled, nil:
      return trouble(refusal, [.fail(step, refusal.detail)])
    }
  }

  private mutating func end(_ writes: [Write]) -> Action {
    guard let (described, nextLook) = outlook else { return finish(.lost) }
    return commit(writes + [.end(.done(described, nextLook: nextLook))], then: .finish(.done))
  }
}
