package import Foundation
import Identity
package import LicenseKitAPI

/// What a person, or another system, changed about a license at LicenseKit itself.
///
/// A license that was changed by hand is flagged and left as it is: events do not overwrite it. Three things still reach it:
/// it is revoked if the money went back or the mapping asks for it, paid time extends it, and its features follow what is
/// sold. The override ends when a person releases it, or when the change is undone at LicenseKit.
package enum ManualOverride: String, Hashable, Sendable, Codable, CaseIterable, Comparable {
  case suspended
  case reinstated
  case revoked
  /// Its expiry was moved beyond the one that this service had set.
  case extended

  /// In plain words, as the end of "License … was …".
  package var sentence: String {
    switch self {
    case .suspended: "suspended by hand"
    case .reinstated: "reinstated by hand"
    case .revoked: "revoked by hand"
    case .extended: "extended by hand"
    }
  }

  package static func < (a: ManualOverride, b: ManualOverride) -> Bool { a.rawValue < b.rawValue }
}

extension Recorded.Unit {
  /// Compares the license at LicenseKit with what this service last set, and takes differences as changes made by hand.
  ///
  /// While a change of our own is in flight, only a revocation counts as made by hand, and a later expiry counts as that of
  /// our own renewal. Nothing is concluded from a state that time brings about by itself (`expired`, `grace_period`), or from
  /// an earlier expiry, because LicenseKit only moves an expiry forward.
  /// - Returns: what was changed by hand since the last look.
  package mutating func observe(_ observed: LicenseStatus, expiresAt: Date?) -> Set<ManualOverride> {
    guard case .issued(let id, var status, var known, let features) = license else { return [] }
    if observed == .revoked, let begun = inFlight, begun != .revoke, status != .revoked {
      // Whatever step was begun, it can no longer be finished. Only a revocation can: its own step completes and reports it.
      inFlight = nil
      license = .issued(id, status: .revoked, expiresAt: known, features: features)
      manualOverrides = [.revoked]
      return manualOverrides
    }
    if observed != .revoked, status == .revoked, manualOverrides.remove(.revoked) != nil {
      // LicenseKit never undoes a revocation, so its earlier answer was wrong.
      status = observed == .suspended ? .suspended : .active
      license = .issued(id, status: status, expiresAt: known, features: features)
      return []
    }
    guard inFlight == nil else {
      // The step that was begun may be a renewal. Then its end is the license's end: if asked for an earlier one, LicenseKit
      // keeps the later. Only by knowing this end can the license be stopped when less is paid.
      if let mine = known, let expiresAt, expiresAt > mine {
        license = .issued(id, status: status, expiresAt: expiresAt, features: features)
      }
      return []
    }
    let before = manualOverrides
    switch (observed, status) {
    case (.revoked, .active), (.revoked, .suspended):
      status = .revoked
      manualOverrides = [.revoked]
    case (.suspended, .active):
      status = .suspended
      if manualOverrides.remove(.reinstated) == nil { manualOverrides.insert(.suspended) }
    case (.active, .suspended), (.gracePeriod, .suspended):
      status = .active
      if manualOverrides.remove(.suspended) == nil { manualOverrides.insert(.reinstated) }
    default: break
    }
    // Compares whole seconds, because LicenseKit may store nothing finer.
    if status != .revoked, let mine = known, let expiresAt, expiresAt.timeIntervalSince(mine) >= 1 {
      known = expiresAt
      manualOverrides.insert(.extended)
    }
    license = .issued(id, status: status, expiresAt: known, features: features)
    return manualOverrides.subtracting(before)
  }

  /// Whether a manual override prevents a suspension for these causes, or for the end of paid time (nil). Time that a person
  /// gave outlasts missing money, but not money that goes back.
  func holdsAgainstSuspension(for causes: Set<Cause>?) -> Bool {
    if manualOverrides.contains(.reinstated) { return true }
    guard manualOverrides.contains(.extended) else { return false }
    return causes?.isSubset(of: Cause.lapses) ?? true
  }
}

extension Cause {
  /// The causes that come from money that did not arrive, in contrast to money that goes back.
  static let lapses: Set<Cause> = [
    .pastDue, .unpaid, .paused, .collectionPaused, .canceled, .termOver, .unlicensedTrial,
  ]
}

extension Decision {
  /// The decision as people see it, including what a person changed by hand and this service leaves.
  package func described(with recorded: Recorded, now: Date) -> Decision {
    let units = lines.flatMap(\.units).map(\.key)
    let changed = recorded.units.sorted { $0.key < $1.key }.filter { !$0.value.manualOverrides.isEmpty }
    guard isComplete, !changed.isEmpty else { return self }
    var described = self
    var notes: [String] = []
    for (key, unit) in changed {
      let what = unit.manualOverrides.sorted().map(\.sentence).joined(separator: " and ")
      notes.append("License \(key.ordinal) of line \(key.line) was \(what) at LicenseKit and is left so.")
    }
    described.reason = ([reason].compactMap { $0 } + Knowledge.unique(notes)).joined(separator: " ")
    switch status {
    case .fulfilled where !units.contains { recorded.units[$0]?.isUsable(at: now) ?? false }:
      described.status = changed.contains { $0.value.manualOverrides.contains(.suspended) } ? .suspended : .ended
    case .suspended, .ended:
      if changed.contains(where: { $0.value.isUsable(at: now) }) { described.status = .fulfilled }
    default: break
    }
    return described
  }
}

extension Recorded.Unit {
  fileprivate func isUsable(at now: Date) -> Bool {
    guard case .issued(_, .active, let expiresAt, _) = license else { return false }
    return expiresAt.map { $0 > now } ?? true
  }
}
