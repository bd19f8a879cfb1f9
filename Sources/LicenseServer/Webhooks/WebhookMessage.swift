import Delivery
import Foundation
import Identity
import JSON
import LicenseKitAPI

/// What is sent: the contract's event with the id of its delivery, and the headers that prove it.
struct WebhookMessage: Sendable {
  static let deliveryHeader = "X-Locksmith-Delivery-ID"
  static let sequenceHeader = "X-Locksmith-Event-Sequence"
  static let typeHeader = "X-Locksmith-Event-Type"
  static let signatureHeader = "X-Locksmith-Signature"

  let body: [UInt8]
  let headers: [(String, String)]

  /// - Parameter secrets: the newer one first, while one is being replaced.
  init(_ event: Event, delivery: MessageDeliveryID, secrets: [String], at moment: Date) throws {
    var object = try JSONCoding.encode(event).object ?? JSONObject()
    object["delivery_id"] = .string(delivery.rawValue)
    body = JSONValue.object(object).encoded()
    headers = [
      (Self.deliveryHeader, delivery.rawValue),
      (Self.sequenceHeader, String(event.sequence)),
      (Self.typeHeader, event.eventType),
      (
        Self.signatureHeader,
        DeliverySignature.value(of: body, delivery: delivery.rawValue, secrets: secrets, at: moment)
      ),
    ]
  }
}
