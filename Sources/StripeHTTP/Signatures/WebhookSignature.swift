public import Foundation

/// The signature on the events that Stripe delivers (Stripe docs, "Webhooks": verify events are sent from Stripe).
public enum WebhookSignature {
  /// The age in seconds that Stripe's own libraries allow. Every redelivery is signed again, so a strict limit refuses no
  /// genuine one.
  public static let defaultTolerance = 300

  /// Accepts a delivery when one of its signatures was made with one of the secrets, not longer than `tolerance`
  /// seconds before or after `now`.
  ///
  /// - Parameters:
  ///   - header: the value of `Stripe-Signature`; nil when the request has none.
  ///   - payload: the body exactly as received. It is not copied.
  ///   - secrets: every secret that may have signed: several endpoints on one address, or a rotation.
  ///   - now: the receiver's clock.
  /// - Returns: when Stripe signed.
  @discardableResult
  public static func verify(
    header: String?, payload: [UInt8], secrets: [WebhookSecret], now: Date, tolerance: Int = defaultTolerance
  ) throws(SignatureError) -> Date {
    guard let header else { throw .missingHeader }
    let parsed = try SignatureHeader(header)
    try parsed.verify(payload: payload[...], secrets: secrets, now: now.wholeUnixSeconds, tolerance: tolerance)
    return Date(timeIntervalSince1970: TimeInterval(parsed.timestamp))
  }

  /// Whether a header can be a signature at all: it contains a time and at least one signature. For a receiver that does not
  /// read bodies from unknown senders.
  public static func requireReadable(_ header: String?) throws(SignatureError) {
    guard let header else { throw .missingHeader }
    do {
      _ = try SignatureHeader(header)
    } catch .noSignature where header.contains("v1=") {
      // The header has the wrong form. Other faults are reported after the whole request has come.
    }
  }

  /// The header value Stripe would send for this body: for simulators and tests.
  public static func sign(payload: [UInt8], secrets: [WebhookSecret], at time: Date) -> String {
    SignatureHeader.sign(payload: payload[...], secrets: secrets, timestamp: time.wholeUnixSeconds)
  }
}

extension Date {
  /// Seconds since 1970, rounded down, which is how Stripe counts. Dates beyond any real clock are clamped.
  var wholeUnixSeconds: Int64 {
    Int64(min(max(timeIntervalSince1970.rounded(.down), -9e15), 9e15))
  }
}
