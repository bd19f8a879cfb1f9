import Cryptography

/// An API key or access token as a caller presents it.
struct Credential: Sendable {
  let secret: String

  init?(secret: String) {
    guard !secret.isEmpty else { return nil }
    self.secret = secret
  }

  init?(basic: String) {
    guard let bytes = Base64.decode(basic) else { return nil }
    let text = String(decoding: bytes, as: UTF8.self)
    self.init(secret: String(text.prefix { $0 != ":" }))
  }

  /// The secret as messages and logs may show it.
  var masked: String { "\(secret.prefix(8))…\(secret.suffix(4))" }
}
