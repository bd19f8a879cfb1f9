import Cryptography
public import Foundation

/// What proves to a receiver who a message comes from, and that it is not an old one sent again by somebody else.
public enum DeliverySignature {
  /// `t=<seconds since 1970>,v1=<hex>`, where `v1` is the HMAC-SHA256 over `<t>.<delivery id>.<body>`, keyed with the
  /// UTF-8 bytes of the secret, prefix and all.
  ///
  /// - Parameter secrets: one, or two while one is being replaced; there is a `v1` for each.
  public static func value(of body: [UInt8], delivery: String, secrets: [String], at moment: Date) -> String {
    let time = String(Int64(moment.timeIntervalSince1970))
    let signatures = secrets.map { secret in
      "v1=" + Hex.encode(HMACSHA256(key: secret).code(for: Array("\(time).\(delivery).".utf8), body))
    }
    return (["t=\(time)"] + signatures).joined(separator: ",")
  }
}
