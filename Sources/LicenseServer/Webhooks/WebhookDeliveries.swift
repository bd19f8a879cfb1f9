import Cryptography
import Delivery
import Foundation
import Identity
import LicenseKitAPI
import Postgres
import ServerKit

/// The log of deliveries, and what can be done about one by hand. Extensions: the contract has no operation for them.
struct WebhookDeliveries: Sendable {
  let store: TenantStore
  /// Called when something is to be delivered.
  let wakeUp: WakeUp

  /// One page, newest first.
  func list(
    _ webhook: WebhookEndpointID, _ filter: WebhookDeliveryFilter, for caller: Caller
  ) async throws -> (deliveries: [WebhookDelivery], nextCursor: MessageDeliveryID?) {
    let limit = try Limit.checked(filter.limit)
    var query: PostgresQuery = """
      SELECT \(fragment: WebhookDelivery.columns)
        FROM license_server.webhook_deliveries
       WHERE tenant_id = \(caller.tenant) AND endpoint_id = \(webhook)
      """
    if let cursor = filter.cursor { query.append(" AND id < \(cursor)") }
    if let status = filter.status { query.append(" AND state = \(status)") }
    if let type = filter.eventType { query.append(" AND event_type = \(type)") }
    query.append(" ORDER BY id DESC LIMIT \(limit + 1)")
    let complete = query
    let found = try await store.transaction(caller.tenant, readOnly: true) { transaction in
      try await WebhookEndpoints.find(webhook, for: caller, in: transaction)
      return try await transaction.query(complete).all(WebhookDelivery.init(row:))
    }
    let page = Array(found.prefix(limit))
    return (page, found.count > limit ? page.last?.id : nil)
  }

  /// One delivery with its attempts.
  func get(
    _ id: MessageDeliveryID, to webhook: WebhookEndpointID, for caller: Caller
  ) async throws -> WebhookDelivery {
    try await store.transaction(caller.tenant, readOnly: true) { transaction in
      try await Self.find(id, to: webhook, for: caller, in: transaction)
    }
  }

  /// Delivers once more, whatever became of it. A receiver knows a repetition by the delivery's id.
  /// - Throws: 409 when the endpoint is not active.
  func replay(
    _ id: MessageDeliveryID, to webhook: WebhookEndpointID, for caller: Caller
  ) async throws -> WebhookDelivery {
    let delivery = try await store.transaction(caller.tenant) { transaction in
      try await Self.requireActive(webhook, for: caller, in: transaction)
      let replayed = try await Self.log(for: caller, in: transaction).replay(
        where: "d.endpoint_id = \(webhook) AND d.id = \(id)", atMost: 1)
      guard replayed == 1 else { throw APIFailure.notFound("delivery") }
      return try await Self.find(id, to: webhook, for: caller, in: transaction)
    }
    wakeUp.signal()
    return delivery
  }

  /// Enqueues a test; the log shows its result.
  /// - Throws: 409 when the endpoint is not active.
  func test(_ webhook: WebhookEndpointID, for caller: Caller) async throws -> WebhookDelivery {
    let id = MessageDeliveryID(Random.id(prefix: WebhookDelivery.idPrefix))
    let delivery = try await store.transaction(caller.tenant) { transaction in
      try await Self.requireActive(webhook, for: caller, in: transaction)
      try await transaction.query(
        """
        INSERT INTO license_server.webhook_deliveries (tenant_id, id, endpoint_id, event_type)
        VALUES (\(caller.tenant), \(id), \(webhook), \(WebhookDelivery.testType))
        """)
      try await EndpointQueues.ofWebhooks.resume(EndpointQueue(of: caller.tenant, webhook), in: transaction)
      return try await Self.find(id, to: webhook, for: caller, in: transaction)
    }
    wakeUp.signal()
    return delivery
  }

  private static func requireActive(
    _ webhook: WebhookEndpointID, for caller: Caller, in transaction: PostgresTransaction
  ) async throws {
    guard try await WebhookEndpoints.find(webhook, for: caller, in: transaction).isActive else {
      throw APIFailure.conflict("the webhook is not active; make it so first")
    }
  }

  private static func log(for caller: Caller, in transaction: PostgresTransaction) -> MessageLog<TenantID> {
    MessageLog(of: caller.tenant, queues: .ofWebhooks, in: transaction)
  }

  private static func find(
    _ id: MessageDeliveryID, to webhook: WebhookEndpointID, for caller: Caller, in transaction: PostgresTransaction
  ) async throws -> WebhookDelivery {
    try await WebhookEndpoints.find(webhook, for: caller, in: transaction)
    let rows = try await transaction.query(
      """
      SELECT \(fragment: WebhookDelivery.columns)
        FROM license_server.webhook_deliveries
       WHERE tenant_id = \(caller.tenant) AND endpoint_id = \(webhook) AND id = \(id)
      """)
    guard let row = rows.first else { throw APIFailure.notFound("delivery") }
    var delivery = try WebhookDelivery(row: row)
    delivery.log = try await log(for: caller, in: transaction).attempts(of: id).map(WebhookDelivery.Attempt.init)
    return delivery
  }
}
