import Foundation

// The same API from two places: the system on Apple's platforms, the package swift-crypto elsewhere.
#if canImport(CryptoKit)
  import CryptoKit
#elseif canImport(Crypto)
  import Crypto
#endif

/// A key that the server signs its answers with.
struct PublicKey: Decodable {
  var kid: String
  var publicKey: Data

  private enum CodingKeys: String, CodingKey {
    case kid
    case publicKey = "public_key"
  }
}

/// Whether an answer comes from the server whose keys are known.
enum SignatureCheck {
  enum Result {
    case good
    /// Nothing here can check it: neither CryptoKit nor swift-crypto is there.
    case notChecked
  }

  private struct Signed: Decodable {
    struct Signature: Decodable {
      var alg: String
      var kid: String
      var value: Data
    }
    var signature: Signature
  }

  /// Throws `LicenseError.notGenuine` for an answer that is not signed by one of these keys.
  static func result(of answer: Data, keys: [PublicKey]) throws -> Result {
    guard let signature = try? JSONDecoder().decode(Signed.self, from: answer).signature, signature.alg == "Ed25519",
      let key = keys.first(where: { $0.kid == signature.kid }), let signed = signedBytes(of: answer)
    else { throw LicenseError.notGenuine }
    #if canImport(CryptoKit) || canImport(Crypto)
      guard let publicKey = try? Curve25519.Signing.PublicKey(rawRepresentation: key.publicKey),
        publicKey.isValidSignature(signature.value, for: signed)
      else { throw LicenseError.notGenuine }
      return .good
    #else
      _ = (key, signed)
      return .notChecked
    #endif
  }

  /// The bytes of `data` as they were sent: the signature covers these. A text inside them cannot hold the end that is looked
  /// for, since its quotes are escaped.
  private static func signedBytes(of answer: Data) -> Data? {
    guard let start = answer.range(of: Data(#"{"data":"#.utf8), options: .anchored),
      let end = answer.range(of: Data(#","signature":"#.utf8), in: start.upperBound..<answer.endIndex)
    else { return nil }
    return answer[start.upperBound..<end.lowerBound]
  }
}
