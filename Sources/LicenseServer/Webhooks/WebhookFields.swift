import Delivery
import HTTPTransport
import LicenseKitAPI
import ServerKit

/// The rules for the fields of an endpoint. Every refusal is 422 and names the field.
enum WebhookFields {
  /// A secret of a vendor's own choice: long enough not to be guessed, and safe in every language's text.
  static let secretLength = 16...255

  static func check(url: String?, destinations: AddressPolicy) throws(APIFailure) {
    guard let url else { return }
    if let problem = DeliveryRequest.problem(withURL: url, destinations: destinations) {
      throw .validation(field: "url", problem)
    }
  }

  /// The types without repetitions, in the order given.
  static func checked(eventTypes: [String]?) throws(APIFailure) -> [String]? {
    guard let eventTypes else { return nil }
    try Checks.range(eventTypes.count, "event_types", 0...1_000)
    var types: [String] = []
    for (index, type) in eventTypes.enumerated() {
      guard EventLog.Kind(rawValue: type) != nil else {
        let known = EventLog.Kind.allCases.map(\.rawValue).joined(separator: ", ")
        throw .validation(field: "event_types[\(index)]", "must be one of \(known)")
      }
      if !types.contains(type) { types.append(type) }
    }
    return types
  }

  static func check(secret: String?) throws(APIFailure) {
    guard let secret else { return }
    guard secretLength.contains(secret.utf8.count), secret.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
      throw .validation(
        field: "secret",
        "must be \(secretLength.lowerBound) to \(secretLength.upperBound) printable ASCII characters without spaces")
    }
  }
}
