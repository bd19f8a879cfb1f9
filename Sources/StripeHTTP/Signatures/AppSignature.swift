public import Foundation
public import Identity
public import JSON
public import StripeAPI

extension Stripe {
  public enum UserTag {}
  /// `usr_…`: a person who is signed in to the Dashboard.
  public typealias UserID = ID<UserTag>
}

/// The caller from the Dashboard, as Stripe vouches for it. It says neither which mode is meant nor that the app is
/// installed; the receiver must check both.
public struct AppIdentity: Hashable, Sendable {
  /// The signed-in person.
  public let userID: Stripe.UserID
  /// The merchant's account the person is looking at.
  public let accountID: Stripe.AccountID
}

/// A payload that Stripe signed as a whole, and the identity in it.
public struct AppSignedPayload: Hashable, Sendable {
  /// The identity of the caller.
  public let identity: AppIdentity
  /// Everything that was signed, `user_id` and `account_id` included.
  public let fields: JSONObject
}

/// The signature on calls that an app's own Dashboard views make to the app's backend (Stripe Apps docs, "Build a
/// backend"; the views get it from `fetchStripeSignature`).
///
/// The signature contains no nonce and no mode. Within the tolerance it can be replayed, so only harmless reads may rely on
/// `verifyIdentity`. Anything that changes state must sign what it asks for, with a nonce, and use `verifyPayload`.
public enum AppSignature {
  /// Stripe's libraries check the age only when asked to; here it is always checked, in both directions.
  public static let defaultTolerance = 300

  /// The plain form, made by `fetchStripeSignature()`: only the two ids are signed. The request states them, and the signed
  /// bytes are rebuilt from that. Nothing else in the request is authenticated.
  ///
  /// - Parameters:
  ///   - header: the value of `Stripe-Signature`.
  ///   - userID: as the request states it.
  ///   - accountID: as the request states it.
  /// - Throws: `.invalidIdentity` for ids that are absent or not 1 to 255 ASCII letters, digits and `_`; no other text
  ///   ever reaches the signed bytes, so that nothing depends on how JSON escapes it.
  public static func verifyIdentity(
    header: String?, userID: String?, accountID: String?, secrets: [AppSigningSecret], now: Date,
    tolerance: Int = defaultTolerance
  ) throws(SignatureError) -> AppIdentity {
    let identity = try AppIdentity(userID: userID, accountID: accountID)
    try verify(header, identity.payload, secrets, now, tolerance)
    return identity
  }

  /// The full form, made by `fetchStripeSignature(payload)`: the body itself was signed, byte for byte. The ids come only
  /// from it.
  ///
  /// - Parameter payload: the body exactly as received; it is verified before it is parsed.
  public static func verifyPayload(
    header: String?, payload: [UInt8], secrets: [AppSigningSecret], now: Date, tolerance: Int = defaultTolerance
  ) throws(SignatureError) -> AppSignedPayload {
    try verify(header, payload, secrets, now, tolerance)
    guard let value = try? JSONValue(parsing: payload, maximumDepth: 16), let fields = value.object else {
      throw .malformedPayload
    }
    let identity = try AppIdentity(userID: fields["user_id"]?.string, accountID: fields["account_id"]?.string)
    return AppSignedPayload(identity: identity, fields: fields)
  }

  /// The header value that Stripe would give the app's view for these bytes; for simulators and tests.
  public static func sign(payload: [UInt8], secrets: [AppSigningSecret], at time: Date) -> String {
    SignatureHeader.sign(payload: payload[...], secrets: secrets, timestamp: time.wholeUnixSeconds)
  }

  /// As `sign(payload:secrets:at:)`, for the plain form.
  public static func sign(
    userID: String, accountID: String, secrets: [AppSigningSecret], at time: Date
  ) throws(SignatureError) -> String {
    sign(payload: try AppIdentity(userID: userID, accountID: accountID).payload, secrets: secrets, at: time)
  }

  private static func verify(
    _ header: String?, _ payload: [UInt8], _ secrets: [AppSigningSecret], _ now: Date, _ tolerance: Int
  ) throws(SignatureError) {
    guard let header else { throw .missingHeader }
    try SignatureHeader(header)
      .verify(payload: payload[...], secrets: secrets, now: now.wholeUnixSeconds, tolerance: tolerance)
  }
}

extension AppIdentity {
  init(userID: String?, accountID: String?) throws(SignatureError) {
    guard let userID, let accountID, Self.isPlainID(userID), Self.isPlainID(accountID) else { throw .invalidIdentity }
    self.init(userID: Stripe.UserID(userID), accountID: Stripe.AccountID(accountID))
  }

  /// Exactly these keys in this order, without spaces, is what Stripe signs.
  var payload: [UInt8] {
    Array(#"{"user_id":"\#(userID.rawValue)","account_id":"\#(accountID.rawValue)"}"#.utf8)
  }

  private static func isPlainID(_ text: String) -> Bool {
    (1...255).contains(text.utf8.count)
      && text.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
          true
        default: false
        }
      }
  }
}
