import Foundation
import Identity
package import LicenseKitAPI

// What becomes of a run that is refused something, and of its purchase.

extension Reconciliation {
  /// A license that an attempt to issue it may have left behind, and that nobody has the key of.
  package struct Lost: Sendable {
    package enum Cause: Sendable {
      /// Another attempt is refused: the license is given up.
      case refused(Refusal)
      /// The records by which it is found are about to be forgotten.
      case gone(GoneSearch)
    }

    package let unit: DesiredUnit
    package let generation: Int
    package var before: Recorded
    package let cause: Cause

    package init(unit: DesiredUnit, generation: Int, before: Recorded, cause: Cause) {
      self.unit = unit
      self.generation = generation
      self.before = before
      self.cause = cause
    }
  }

  /// A look for what LicenseKit does not have any more.
  package struct GoneSearch: Sendable {
    /// The most records that are asked for; a purchase with more is looked through over several runs.
    package static let most = 100

    package let detail: String
    /// Whether it is what the mapping names that is looked for. That comes first: when the product or the policy is gone, the
    /// mapping is at fault, or this is another LicenseKit, and nothing may be made anew.
    var isOfMapping = true
    package var left: ArraySlice<Existing>
    package var gone: [Existing] = []
    /// Units whose license is in doubt, still to be cleared up before anything is forgotten; nil when not looked for yet.
    var doubted: ArraySlice<UnitKey>?

    package var part: [Existing] { Array(left.prefix(Reconciliation.batch)) }
  }

  package mutating func refused(_ refusal: Refusal) -> Action {
    switch state {
    case .calling(let step, let before): return stepRefused(step, before, refusal)
    case .writingBack(let step): return writeBackRefused(step, refusal)
    case .lookingAtFormer(var lost) where refusal.licenseKit?.retry == .gone:
      _ = lost.before.units[lost.unit.key]?.replaced.popLast()
      return lostRevoked(lost, [])
    default: return trouble(refusal)
    }
  }

  // MARK: A step

  /// Leaves the records as they were before a step that LicenseKit refused without doing anything: nothing is in doubt.
  private mutating func stepRefused(_ step: Step, _ before: Recorded, _ refusal: Refusal) -> Action {
    var writes: [Write] = [.fail(step, refusal.detail)]
    guard let error = refusal.licenseKit, !error.mayHaveTakenEffect else { return trouble(refusal, writes) }
    if case .issue(let unit, _, let generation) = step {
      if before.units[unit.key]?.license == .issuing {
        guard error.retry != .later, error.retry != .credential else { return trouble(refusal, writes) }
        return commit(
          writes,
          then: .revokeLost(.init(unit: unit, generation: generation, before: before, cause: .refused(refusal))))
      }
      recorded = before
      writes.append(before.units[unit.key] == nil ? .forget(unit.key) : .restore(unit.key, before))
    } else if let key = step.changedLicense, let unit = before.units[key], unit.unsettled == nil {
      recorded = before
      writes.append(.restore(key, before))
    }
    return trouble(refusal, writes)
  }

  /// What an earlier attempt left behind is revoked; then the license that was to be replaced stands again, so that it is
  /// not out of reach while the mapping is being corrected.
  ///
  /// A server that knows the Idempotency-Key would give that license again for the same request. So it is kept as what it
  /// is, a revoked one, and the next that is issued has another name.
  package mutating func lostRevoked(_ lost: Lost, _ found: [LicenseID]) -> Action {
    let key = lost.unit.key
    var writes: [Write] = []
    switch lost.cause {
    case .gone(let search):
      if let license = found.last { writes = keepRevoked(license, of: key) }
      return forgetGone(search, writes)
    case .refused(let refusal):
      if let former = lost.before.units[key]?.replaced.last {
        state = .lookingAtFormer(lost)
        return .lookAtFormer(former)
      }
      if let license = found.last { return trouble(refusal, keepRevoked(license, of: key)) }
      guard lost.generation == 1 else { return trouble(refusal) }
      recorded.units[key] = nil
      return trouble(refusal, [.forget(key)])
    }
  }

  /// The unit's license is revoked, and nobody has ever had its key.
  mutating func keepRevoked(_ license: LicenseID, of key: UnitKey) -> [Write] {
    recorded.units[key]?.license = .issued(license, status: .revoked, expiresAt: nil, features: [])
    return [.restore(key, recorded)]
  }

  package mutating func sawFormer(_ license: SeenLicense, _ lost: Lost) -> Action {
    guard case .refused(let refusal) = lost.cause else { return finish(.lost) }
    let key = lost.unit.key
    let status: Recorded.Unit.Status =
      switch license.status {
      case .revoked: .revoked
      case .suspended: .suspended
      case .active, .gracePeriod, .expired: .active
      }
    recorded = lost.before
    recorded.units[key] = Recorded.Unit(
      generation: lost.generation,
      license: .issued(license.id, status: status, expiresAt: license.expiresAt, features: []),
      policy: license.policy, replaced: lost.before.units[key]?.replaced.filter { $0 != license.id } ?? [])
    return trouble(refusal, [.restore(key, recorded)])
  }

  // MARK: What becomes of the purchase

  mutating func trouble(_ refusal: Refusal, _ writes: [Write] = []) -> Action {
    switch refusal.failure {
    case .outage(let outage, let pause):
      let attempts = max(beginning.attempts, min(beginning.attempts + 1, RetryPause.attemptsOfOutage))
      return again(after: pause, attempts: attempts, outage.sentence, writes, .outage(outage))
    case .gone(let detail):
      let search = GoneSearch(detail: detail, left: recorded.mapped[...])
      return commit(writes, then: .findGone(search))
    case .response(let response): return respond(response, writes)
    }
  }

  package mutating func respond(_ response: FailureResponse, _ writes: [Write] = []) -> Action {
    switch response {
    case .yield: return finish(.lost)
    case .interrupted:
      let ending = Ending.again(at: now, attempts: beginning.attempts, reason: nil)
      return commit(writes + [.end(ending)], then: .finish(.again(reason: "It was broken off.")))
    case .retry(let pause, let reason):
      return again(after: pause, attempts: beginning.attempts + 1, reason, writes, .again(reason: reason))
    case .park(let unavailable):
      return commit(
        writes + [.end(.parked(unavailable, attempts: beginning.attempts))], then: .finish(.parked(unavailable)))
    case .fail(let reason):
      return commit(
        writes + [.end(.failed(decision, reason: reason, attempts: beginning.attempts + 1))]
          + noted("Needs a person.", reason),
        then: .finish(.failed(reason: reason)))
    }
  }

  private mutating func again(
    after pause: TimeInterval, attempts: Int, _ reason: String, _ writes: [Write], _ result: Result
  ) -> Action {
    let ending = Ending.again(
      at: now.addingTimeInterval(pause), attempts: attempts, reason: isFulfilled ? nil : reason)
    return commit(
      writes + [.end(ending)] + noted("Waits for another attempt.", reason), then: .finish(result))
  }

  /// A row of equal failures is told once.
  private func noted(_ title: String, _ detail: String) -> [Write] {
    beginning.reason == detail ? [] : [.note(title: title, detail: detail)]
  }

  // MARK: What is gone

  package mutating func foundGone(_ gone: [Existing], _ search: GoneSearch) -> Action {
    var search = search
    search.gone += gone
    search.left = search.left.dropFirst(Self.batch)
    if search.isOfMapping {
      if let first = search.gone.first {
        return respond(
          .fail(
            reason: "LicenseKit has no \(first.name) any more, which the mapping names. "
              + "Correct the mapping (or the connection's LicenseKit, if it is not the one it was), then replay."))
      }
      if search.left.isEmpty {
        search.isOfMapping = false
        search.left = recorded.made.prefix(GoneSearch.most)
      }
    }
    if !search.left.isEmpty { return commit([], then: .findGone(search), holdingLease: true) }
    if search.gone.isEmpty {
      let pause = RetryPause.length(beginning.attempts, beginning.jitter)
      return respond(.retry(after: pause, reason: "LicenseKit: \(search.detail)."))
    }
    return forgetGone(search)
  }

  /// What is gone is forgotten, so that the next run makes it anew. What may hang on a record that is gone is revoked first:
  /// by another record it would not be found.
  private mutating func forgetGone(_ search: GoneSearch, _ writes: [Write] = []) -> Action {
    var search = search
    var doubted = search.doubted ?? recorded.units.filter { $0.value.license == .issuing }.keys.sorted()[...]
    let key = doubted.popFirst()
    search.doubted = doubted
    if let key, let decision, let unit = recorded.units[key] {
      let wanted = decision.lines.flatMap(\.units).first { $0.key == key }
      return commit(
        writes,
        then: .revokeLost(
          .init(
            unit: wanted ?? Plan.unsold(key, decision, recorded), generation: unit.generation, before: recorded,
            cause: .gone(search))),
        holdingLease: true)
    }
    for record in search.gone { recorded.forget(record) }
    let reason = "LicenseKit: \(search.detail)"
    let title = "Gone at LicenseKit, and made anew: \(search.gone.map(\.name).joined(separator: ", "))."
    return commit(
      writes + [
        .forgetGone(search.gone), .note(title: title, detail: search.detail),
        .end(.again(at: now, attempts: beginning.attempts + 1, reason: isFulfilled ? nil : reason)),
      ], then: .finish(.again(reason: reason)))
  }
}
