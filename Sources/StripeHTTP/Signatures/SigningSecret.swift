import Cryptography

/// What a webhook endpoint's secret is for; see `WebhookSecret`.
public enum WebhookPurpose {}
/// What an app's signing secret is for; see `AppSigningSecret`.
public enum AppPurpose {}

/// The secret of a webhook endpoint (`whsec_…`), or of the command line tool's forwarder.
public typealias WebhookSecret = SigningSecret<WebhookPurpose>
/// The secret that signs an app's calls from the Dashboard (`absec_…`).
public typealias AppSigningSecret = SigningSecret<AppPurpose>

/// A shared secret that Stripe signs with. The key is the whole text with its prefix, as UTF-8, and is not Base64
/// (Stripe docs, "Webhooks": verify manually).
///
/// `Purpose` separates the two kinds of secret, so that one cannot be configured in place of the other. The text itself is
/// not stored and is in no description.
public struct SigningSecret<Purpose>: Sendable {
  let hmac: HMACSHA256

  /// Uses a configured text without the white space around it, which a pasted or mounted secret often has.
  ///
  /// - Throws: `SigningSecretError.empty`, because a check with an empty key would accept anybody's signature.
  public init(_ text: String) throws(SigningSecretError) {
    let trimmed = text.trimmingASCIIWhitespace()
    guard !trimmed.isEmpty else { throw .empty }
    hmac = HMACSHA256(key: String(trimmed))
  }

  /// The secrets of a comma-separated list, as during a rotation or with several endpoints on one address.
  ///
  /// - Throws: `SigningSecretError.empty` when the list or one of its entries is empty.
  public static func list(_ text: String) throws(SigningSecretError) -> [Self] {
    var secrets: [Self] = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) { secrets.append(try Self(String(part))) }
    return secrets
  }

  /// HMAC-SHA256 over the time exactly as in the header, a full stop, and the payload.
  func code(timestamp: [UInt8], payload: ArraySlice<UInt8>) -> [UInt8] {
    hmac.code(for: [timestamp[...], separator, payload])
  }
}

private let separator: ArraySlice<UInt8> = [UInt8(ascii: ".")]

extension SigningSecret: CustomStringConvertible, CustomReflectable {
  public var description: String { "SigningSecret(withheld)" }
  public var customMirror: Mirror { Mirror(self, children: [:]) }
}

/// Why a text is not a signing secret.
public enum SigningSecretError: Error, Hashable, Sendable, CustomStringConvertible {
  /// Nothing but white space.
  case empty

  public var description: String { "a signing secret must not be empty" }
}

extension StringProtocol {
  /// The text without ASCII white space at either end.
  func trimmingASCIIWhitespace() -> SubSequence {
    func isSpace(_ character: Character) -> Bool {
      character == " " || character == "\t" || character == "\n" || character == "\r" || character == "\r\n"
    }
    guard let first = firstIndex(where: { !isSpace($0) }), let last = lastIndex(where: { !isSpace($0) }) else {
      return self[endIndex..<endIndex]
    }
    return self[first...last]
  }
}
