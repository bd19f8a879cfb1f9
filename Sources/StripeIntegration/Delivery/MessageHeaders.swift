/// The headers of a message. The signature is a `DeliverySignature`, keyed with the endpoint's secret as it was shown.
enum MessageHeaders {
  static let header = "LicenseKit-Signature"
  static let deliveryHeader = "LicenseKit-Delivery-Id"
  static let attemptHeader = "LicenseKit-Delivery-Attempt"
  static let typeHeader = "LicenseKit-Event-Type"
  static let sequenceHeader = "LicenseKit-Event-Sequence"
}
