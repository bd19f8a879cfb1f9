public import Foundation
public import StripeAPI

/// The secrets of all environments, by what they vouch for.
///
/// Stripe sends events of test mode and of sandboxes to live endpoints too, so a secret of live mode vouches for all three. A
/// secret of test mode or of the sandbox vouches only for that environment: more people and machines know it, so it must not
/// cause a real license, nor one in another environment.
public struct ModeSecrets<Purpose>: Sendable {
  let live: [SigningSecret<Purpose>]
  let test: [SigningSecret<Purpose>]
  let sandbox: [SigningSecret<Purpose>]

  public init(live: [SigningSecret<Purpose>], test: [SigningSecret<Purpose>], sandbox: [SigningSecret<Purpose>]) {
    self.live = live
    self.test = test
    self.sandbox = sandbox
  }

  /// Checks with the secrets of live mode first, since they vouch for most, and then with those of another environment.
  func check<T>(
    _ verify: ([SigningSecret<Purpose>]) throws(SignatureError) -> T
  ) throws(SignatureError) -> Vouched<T> {
    var refusal: SignatureError
    do {
      return Vouched(value: try verify(live), environments: Set(StripeEnvironment.allCases))
    } catch {
      refusal = error
    }
    for (secrets, environment) in [(test, StripeEnvironment.test), (sandbox, .sandbox)] where !secrets.isEmpty {
      guard refusal == .mismatch || refusal == .noSecret else { break }
      do {
        return Vouched(value: try verify(secrets), environments: [environment])
      } catch {
        refusal = error
      }
    }
    throw refusal
  }
}

/// Something with a valid signature, and the environments that its secret vouches for.
public struct Vouched<Value> {
  /// The signed value. It counts only in ``environments``.
  public let value: Value
  public let environments: Set<StripeEnvironment>

  /// What the signature means for something in this mode.
  /// - Returns: the only environment in which it counts; nil if it counts in every one of the mode.
  /// - Throws: `.mismatch` if it counts in none, as for any other wrong secret.
  public func only(livemode: Bool) throws(SignatureError) -> StripeEnvironment? {
    let all = StripeEnvironment.all(livemode: livemode)
    let vouched = all.intersection(environments)
    guard let first = vouched.first else { throw .mismatch }
    return vouched == all ? nil : first
  }
}

extension Vouched: Sendable where Value: Sendable {}

extension WebhookSignature {
  /// As `verify(header:payload:secrets:now:tolerance:)` with the secrets of all environments. The event names its mode,
  /// so the caller passes that mode to `only(livemode:)`.
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
  /// As `verifyIdentity(header:userID:accountID:secrets:now:tolerance:)` with the secrets of all environments.
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

  /// As `verifyPayload(header:payload:secrets:now:tolerance:)` with the secrets of all environments.
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
