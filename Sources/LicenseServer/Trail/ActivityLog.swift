import Foundation
import Identity
import JSON
import LicenseKitAPI
import Postgres

/// Entries for what management tokens and the server itself change. They are written in the transaction of the change, with
/// its event: both exist or neither. ``ActivityRecorder`` records what applications do.
enum ActivityLog {
  /// - Parameters:
  ///   - resourceType: of the event: what kind of record `resource` is.
  ///   - metadata: of the event; the record ids in it are copied.
  static func append(
    _ kind: EventLog.Kind, _ resource: String, of resourceType: String, by caller: Caller, at now: Date,
    metadata: JSONObject, in transaction: PostgresTransaction
  ) async throws {
    let source: ActivitySource
    switch caller.actor {
    case .license: return
    case .apiKey: source = .management
    case .system: source = .system
    }
    func id(_ type: String) -> String? {
      resourceType == type ? resource : metadata["\(type)_id"]?.string
    }
    try await transaction.query(
      """
      INSERT INTO license_server.activities
             (tenant_id, sequence, created_at,
              source, action, result_class, status_code, request_id,
              actor_type, actor_id, resource_type, resource_id,
              product_id, policy_id, customer_id,
              license_id, order_id, subscription_id,
              feature_code, amount)
      SELECT \(caller.tenant), license_server.time_sequence(\(now)), \(now),
             \(source.rawValue), \(kind.rawValue), 'success', \(kind.statusCode), \(caller.requestID),
             \(caller.actor.type.rawValue), \(caller.actor.id), \(resourceType), \(resource),
             coalesce(\(id("product")), l.product_id), coalesce(\(id("policy")), l.policy_id),
             coalesce(\(id("customer")), l.customer_id, o.customer_id, s.customer_id),
             \(id("license")), coalesce(\(id("order")), l.order_id),
             coalesce(\(id("subscription")), l.subscription_id, o.subscription_id),
             \(metadata["feature_code"]?.string), \(metadata["amount"]?.integer)
        FROM (VALUES (1)) AS one
        LEFT JOIN license_server.licenses l      ON l.tenant_id = \(caller.tenant) AND l.id = \(id("license"))
        LEFT JOIN license_server.orders o        ON o.tenant_id = \(caller.tenant) AND o.id = \(id("order"))
        LEFT JOIN license_server.subscriptions s ON s.tenant_id = \(caller.tenant) AND s.id = \(id("subscription"))
      """)
  }
}

/// Who asked for an activity.
enum ActivitySource: String, CaseIterable, Sendable {
  /// An application with its license key.
  case runtime
  /// The holder of a management token.
  case management
  /// This server or its operator.
  case system
}

extension EventLog.Kind {
  /// The status with which the contract answers the request that causes it.
  var statusCode: Int {
    switch rawValue.split(separator: ".").last {
    case "created": 201
    case "deleted", "removed", "cleared": 204
    default: 200
    }
  }
}
