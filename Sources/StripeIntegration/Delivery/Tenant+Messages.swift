package import Delivery
import Identity
package import Postgres
import Purchases
package import StripeAPI
import Tenancy

/// What a delivery of this product is about.
package struct MessageSubject: Sendable {
  let type: String
  /// Nil: a test, or mail.
  let licenseMessage: LicenseMessageID?
  /// Nil: a test.
  let purchase: PurchaseID?
  /// The host that it really goes to.
  let destination: String?
}

extension Tenant: MessageOwner {
  package static let messageTables = MessageTables(
    queues: "stripe_integration.delivery_lanes", queueID: "lane_id", deliveries: "stripe_integration.deliveries",
    deliveryID: "delivery_id", subject: "d.type, d.notice_id, d.purchase_id, d.destination",
    attempts: "stripe_integration.delivery_attempts", status: "status",
    endings: .init(arrived: "succeeded", failed: "failed", cancelled: "cancelled"), extras: .replays)

  package static func subject(of row: PostgresRow) throws -> MessageSubject {
    MessageSubject(
      type: try row.get("type"), licenseMessage: try row.get("notice_id"), purchase: try row.get("purchase_id"),
      destination: try row.get("destination"))
  }
}

extension EndpointQueue where Owner == Tenant {
  /// The queue of a tenant's mail to buyers.
  static func mail(of tenant: Tenant) -> Self { Self(of: tenant, id: MessageOutbox.mailQueue) }

  var isMail: Bool { id == MessageOutbox.mailQueue }
}

extension EndpointQueues where Owner == Tenant {
  /// Two endpoints of one tenant are served at the same time. A mail takes longer than a message.
  static let ofVendors = EndpointQueues(
    perOwner: 2,
    claim: "CASE WHEN q.lane_id = 'email' THEN interval '45 seconds' ELSE interval '20 seconds' END")
}
