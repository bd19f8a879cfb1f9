public import Foundation

/// The secrets of both modes, by what they vouch for.
///
/// Stripe sends the events of test mode to the endpoints of live mode too, so a secret of live mode vouches for both. One of
/// test mode vouches for test mode alone: it is known to more people and machines, and must not make a license that counts.
public struct ModeSecrets<Purpose>: Sendable {
  let live: [SigningSecret<Purpose>]
  let test: [SigningSecret<Purpose>]

  public init(live: [SigningSecret<Purpose>], test: [SigningSecret<Purpose>]) {
    self.live = live
    self.test = test
  }

  /// Checks with the secrets of live mode, and with those of test mode when none of these has signed.
  func check<T>(
    _ verify: ([SigningSecret<Purpose>]) throws(SignatureError) -> T
  ) throws(SignatureError) -> Vouched<T> {
    do {
      return Vouched(value: try verify(live), isOfTestModeAlone: false)
    } catch {
      guard error == .mismatch || error == .noSecret, !test.isEmpty else { throw error }
      return Vouched(value: try verify(test), isOfTestModeAlone: true)
    }
  }
}

/// Something rightly signed, and the modes that its secret vouches for.
public struct Vouched<Value> {
  /// What was signed. It counts only in the modes that ``require(livemode:)`` lets pass.
  public let value: Value
  let isOfTestModeAlone: Bool

  /// - Throws: `.mismatch` for live mode under a secret of test mode, as for any other secret that does not fit.
  public func require(livemode: Bool) throws(SignatureError) {
    guard !livemode || !isOfTestModeAlone else { throw .mismatch }
  }
}

extension Vouched: Sendable where Value: Sendable {}

extension WebhookSignature {
  /// As `verify(header:payload:secrets:now:tolerance:)` with the secrets of both modes. The event names its mode, so
  /// the caller passes that mode to `require(livemode:)`.
  /// - Returns: when Stripe signed.
  public static func verify(
    header: String?, payload: [UInt8], secrets: ModeSecrets<WebhookPurpose>, now: Date,
    tolerance: Int = defaultTolerance
  ) throws(SignatureError) -> Vouched<Date> {
    try secrets.check { secrets throws(SignatureError) in
      try verify(header: header, payload: payload, secrets: secrets, now: now, tolerance: tolerance)
    }
  }
}

extension AppSignature {
  /// As `verifyIdentity(header:userID:accountID:secrets:now:tolerance:)` with the secrets of both modes.
  public static func verifyIdentity(
    header: String?, userID: String?, accountID: String?, secrets: ModeSecrets<AppPurpose>,
    now: Date,
    tolerance: Int = defaultTolerance
  ) throws(SignatureError) -> Vouched<AppIdentity> {
    try secrets.check { secrets throws(SignatureError) in
      try verifyIdentity(
        header: header, userID: userID, accountID: accountID, secrets: secrets, now: now,
        tolerance: tolerance)
    }
  }

  /// As `verifyPayload(header:payload:secrets:now:tolerance:)` with the secrets of both modes.
  public static func verifyPayload(
    header: String?, payload: [UInt8], secrets: ModeSecrets<AppPurpose>, now: Date,
    tolerance: Int = defaultTolerance
  ) throws(SignatureError) -> Vouched<AppSignedPayload> {
    try secrets.check { secrets throws(SignatureError) in
      try verifyPayload(
        header: header, payload: payload, secrets: secrets, now: now, tolerance: tolerance)
    }
  }
}
