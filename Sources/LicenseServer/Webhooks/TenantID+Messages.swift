package import Delivery
package import Identity
package import Postgres
import LicenseKitAPI
import Storage

/// What a delivery of this server is about.
package struct WebhookSubject: Sendable {
  /// The event; nil: a test.
  let sequence: Int64?
}

/// A tenant has its own rows in every queue.
extension ID: QueueKey where Subject == TenantTag {
  package static var keyColumns: [String] { ["tenant_id"] }

  package var keyValues: [PostgresQuery] { ["\(self)::text"] }

  package init(key row: PostgresRow) throws { self = try row.get("tenant_id") }
}

extension ID: MessageOwner where Subject == TenantTag {
  package static var messageTables: MessageTables { WebhookTables.all }

  package static func subject(of row: PostgresRow) throws -> WebhookSubject {
    WebhookSubject(sequence: try row.get("sequence"))
  }
}

private enum WebhookTables {
  static let all = MessageTables(
    queues: "license_server.webhook_lanes", queueID: "endpoint_id", deliveries: "license_server.webhook_deliveries",
    deliveryID: "id", subject: "d.sequence", attempts: "license_server.webhook_attempts", status: "status_code",
    endings: .init(arrived: "delivered", failed: "failed", cancelled: "canceled"),
    extras: [.times, .lastStatus, .endpointOfAttempt])
}

extension EndpointQueue where Owner == TenantID {
  init(of tenant: TenantID, _ endpoint: WebhookEndpointID) { self.init(of: tenant, id: endpoint.rawValue) }

  var endpoint: WebhookEndpointID { WebhookEndpointID(id) }
}

extension EndpointQueues where Owner == TenantID {
  /// Endpoints of one tenant that are served at the same time.
  static let mostAtOnce = 4

  static let ofWebhooks = EndpointQueues(perOwner: mostAtOnce, claim: "interval '20 seconds'")
}
