import Foundation
import Identity
import LicenseKitAPI
import Purchases

enum LicenseMessageTag {}
/// `ntc_…`: one thing that happened to a license. The same for every receiver and every attempt.
typealias LicenseMessageID = ID<LicenseMessageTag>

enum MessageEndpointTag {}
/// `nep_…`
typealias MessageEndpointID = ID<MessageEndpointTag>

/// What a vendor is told of.
enum MessageType: String, Sendable, Codable, CaseIterable {
  case issued = "license.issued"
  case renewed = "license.renewed"
  case suspended = "license.suspended"
  case reinstated = "license.reinstated"
  case revoked = "license.revoked"

  /// The type of a message that a vendor sends to itself, to see whether it arrives.
  static let test = "test"
}

/// A change of one license that the records say is made.
struct LicenseChange: Hashable, Sendable {
  struct State: Hashable, Sendable {
    var status: Recorded.Unit.Status
    var expiresAt: Date?
  }

  let type: MessageType
  let license: LicenseID
  let unit: UnitKey
  let state: State
  /// Nil for a license that is new.
  let former: State?
  /// Why, in the words of the decision.
  let reason: String?

  /// What a step has changed; nil when it has changed nothing that others see. A step that is taken again after a crash
  /// changes the records once, and so a lost answer never makes two changes of one.
  init?(_ step: Step, before: Recorded, after: Recorded) {
    let (type, unit, reason): (MessageType, UnitKey, String?)
    switch step {
    case .issue(let desired, _, _): (type, unit, reason) = (.issued, desired.key, nil)
    case .renew(let key, _, _, _): (type, unit, reason) = (.renewed, key, nil)
    case .suspend(let key, let because): (type, unit, reason) = (.suspended, key, because)
    case .reinstate(let key): (type, unit, reason) = (.reinstated, key, nil)
    case .revoke(let key, let because): (type, unit, reason) = (.revoked, key, because)
    case .revokeReplaced(let key, let license):
      // The unit has another license by now; of this one only its end is known.
      self.init(
        type: .revoked, license: license, unit: key, state: State(status: .revoked, expiresAt: nil), former: nil,
        reason: "Another license has taken its place.")
      return
    default: return nil
    }
    guard let (license, state) = Self.state(of: unit, in: after) else { return nil }
    var former: State?
    if let known = Self.state(of: unit, in: before), known.license == license {
      guard known.state != state else { return nil }
      former = known.state
    }
    self.init(type: type, license: license, unit: unit, state: state, former: former, reason: reason)
  }

  private init(
    type: MessageType, license: LicenseID, unit: UnitKey, state: State, former: State?, reason: String?
  ) {
    self.type = type
    self.license = license
    self.unit = unit
    self.state = state
    self.former = former
    self.reason = reason
  }

  private static func state(of unit: UnitKey, in recorded: Recorded) -> (license: LicenseID, state: State)? {
    guard case .issued(let id, let status, let expiresAt, _)? = recorded.units[unit]?.license else { return nil }
    return (id, State(status: status, expiresAt: expiresAt))
  }
}
