import Cryptography
import Foundation

/// What proves to a receiver that a notice comes from this service, and is not an old one sent again by somebody else.
///
/// The header is `t=<seconds since 1970>,v1=<hex>`, where `v1` is the HMAC-SHA256, keyed with the endpoint's secret as it
/// was shown, over `<t>.<delivery id>.<body>`. While a secret is being replaced there is a `v1` for each of the two.
enum NoticeSignature {
  static let header = "LicenseKit-Signature"
  static let deliveryHeader = "LicenseKit-Delivery-Id"
  static let attemptHeader = "LicenseKit-Delivery-Attempt"
  static let typeHeader = "LicenseKit-Event-Type"
  static let sequenceHeader = "LicenseKit-Event-Sequence"

  static func value(of body: [UInt8], delivery: DeliveryID, secrets: [String], at moment: Date) -> String {
    let time = String(Int64(moment.timeIntervalSince1970))
    let signatures = secrets.map { secret in
      "v1=" + Hex.encode(HMACSHA256(key: secret).code(for: Array("\(time).\(delivery).".utf8), body))
    }
    return (["t=\(time)"] + signatures).joined(separator: ",")
  }
}
