import Foundation
import Identity
package import LicenseKitAPI

// What happens to a run, and to its purchase, when something is refused.

extension Reconciliation {
  /// A license that an attempt to issue may have left behind, and whose key nobody has.
  package struct Lost: Sendable {
    package enum Cause: Sendable {
      /// Another attempt was refused, so the license is given up.
      case refused(Refusal)
      /// The records that lead to the license are about to be forgotten.
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

  /// A search for records that LicenseKit no longer has.
  package struct GoneSearch: Sendable {
    /// The most records asked for in one run; a purchase with more is searched over several runs.
    package static let most = 100

    package let detail: String
    /// Whether the search is for what the mapping names. That comes first: if the product or policy is gone, the mapping is
    /// wrong or this is another LicenseKit, and nothing may be made again.
    var isOfMapping = true
    package var left: ArraySlice<Existing>
    package var gone: [Existing] = []
    /// Units whose license is in flight and must be settled before anything is forgotten; nil before they were looked for.
    var inFlight: ArraySlice<UnitKey>?

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

  /// Restores the records from before a step that LicenseKit refused without doing anything: nothing is in flight.
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
    } else if let key = step.changedLicense, let unit = before.units[key], unit.inFlight == nil {
      recorded = before
      writes.append(.restore(key, before))
    }
    return trouble(refusal, writes)
  }

  /// Revokes what an earlier attempt left behind. Then the license that was to be replaced counts again, so that the buyer
  /// can reach it while the mapping is corrected.
  ///
  /// A server that knows the Idempotency-Key would return the revoked license again for the same request. So it is kept on
  /// record as revoked, and the next license is issued under another name.
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

  /// Records that the unit's license is revoked. Nobody ever had its key.
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
    case .outage(let outage, let backoff):
      let attempts = max(beginning.attempts, min(beginning.attempts + 1, RetryBackoff.attemptsOfOutage))
      return again(after: backoff, attempts: attempts, outage.sentence, writes, .outage(outage))
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
    case .retry(let backoff, let reason):
      return again(after: backoff, attempts: beginning.attempts + 1, reason, writes, .again(reason: reason))
    case .block(let unavailable):
      return commit(
        writes + [.end(.blocked(unavailable, attempts: beginning.attempts))], then: .finish(.blocked(unavailable)))
    case .fail(let reason):
      return commit(
        writes + [.end(.failed(decision, reason: reason, attempts: beginning.attempts + 1))]
          + noted("Needs a person.", reason),
        then: .finish(.failed(reason: reason)))
    }
  }

  private mutating func again(
    after backoff: TimeInterval, attempts: Int, _ reason: String, _ writes: [Write], _ result: Result
  ) -> Action {
    let ending = Ending.again(
      at: now.addingTimeInterval(backoff), attempts: attempts, reason: isFulfilled ? nil : reason)
    return commit(
      writes + [.end(ending)] + noted("Waits for another attempt.", reason), then: .finish(result))
  }

  /// A series of equal failures is reported once.
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
      let backoff = RetryBackoff.length(beginning.attempts, beginning.jitter)
      return respond(.retry(after: backoff, reason: "LicenseKit: \(search.detail)."))
    }
    return forgetGone(search)
  }

  /// Forgets what is gone, so that the next run makes it again. Licenses that may belong to a record that is gone are revoked
  /// first, because they could not be found by another record.
  private mutating func forgetGone(_ search: GoneSearch, _ writes: [Write] = []) -> Action {
    var search = search
    var inFlight = search.inFlight ?? recorded.units.filter { $0.value.license == .issuing }.keys.sorted()[...]
    let key = inFlight.popFirst()
    search.inFlight = inFlight
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
