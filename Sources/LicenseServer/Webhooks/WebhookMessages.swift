import Cryptography
import Delivery
import Foundation
import HTTPTransport
import Identity
import JSON
import LicenseKitAPI
import Metrics
import Postgres

/// Events on their way to endpoints, as the dispatcher brings them.
struct WebhookMessages: MessageChannel {
  let store: TenantStore
  let keyRing: KeyRing
  let clock: ServerClock
  let transport: any HTTPSending
  /// Where events may go: vendors choose the addresses, and must not reach what is behind this machine's firewall.
  let destinations: AddressPolicy

  var queues: EndpointQueues<TenantID> { .ofWebhooks }

  func transaction<Result: Sendable>(
    for tenant: TenantID, _ body: @Sendable (PostgresTransaction) async throws -> Result
  ) async throws -> Result {
    try await store.transaction(tenant, body)
  }

  func claiming<Result: Sendable>(
    _ body: @Sendable (PostgresTransaction) async throws -> Result
  ) async throws -> Result {
    try await store.transaction(as: .dispatcher, body)
  }

  func send(_ attempt: MessageAttempt<TenantID>, _: Void) async throws -> DeliveryResult {
    switch try await prepare(attempt) {
    case .request(let request): await transport.deliver(request)
    case .nothing(let reason): reason
    }
  }

  private enum Prepared: Sendable {
    case request(HTTPTransportRequest)
    case nothing(DeliveryResult)
  }

  private func prepare(_ attempt: MessageAttempt<TenantID>) async throws -> Prepared {
    let queue = attempt.queue
    let secrets = WebhookSecret.secrets(keyRing)
    return try await store.transaction(queue.owner, readOnly: true) { transaction in
      let row = try await transaction.query(
        """
        SELECT url, is_active, \(fragment: secrets.selection)
          FROM license_server.webhook_endpoints
         WHERE tenant_id = \(queue.owner) AND id = \(queue.endpoint)
        """
      ).first
      guard let row else { return .nothing(.pointless("The endpoint is not there any more.")) }
      guard try row.get("is_active", as: Bool.self) else {
        return .nothing(.postponed("The endpoint is not active.", seconds: 0))
      }
      guard let event = try await event(of: attempt, in: transaction) else {
        return .nothing(.pointless("The event is not there any more."))
      }
      let message = try WebhookMessage(
        event, delivery: attempt.delivery, secrets: try secrets.signing(row, of: queue), at: clock.now())
      return .request(
        DeliveryRequest.post(
          message.body, to: try row.get("url"), headers: message.headers, destinations: destinations))
    }
  }

  private func event(of attempt: MessageAttempt<TenantID>, in transaction: PostgresTransaction) async throws -> Event? {
    guard let sequence = attempt.subject.sequence else {
      return Event(
        sequence: 0, eventType: WebhookDelivery.testType, actorType: .system, actorID: "webhook_test",
        resourceType: "webhook", resourceID: attempt.queue.id, metadata: [:], createdAt: attempt.createdAt)
    }
    return try await transaction.query(
      """
      SELECT sequence, event_type, actor_type, actor_id, resource_type, resource_id, metadata::text AS metadata, ip_address,
             created_at
        FROM license_server.events
       WHERE tenant_id = \(attempt.queue.owner) AND sequence = \(sequence)
      """
    ).first.map(Event.init(row:))
  }

  func ended(_ message: EndedMessage<TenantID>, in transaction: PostgresTransaction) async throws {}

  /// An endpoint that takes nothing is never held; what has waited for its full time is given up.
  func health(
    of queue: EndpointQueue<TenantID>, isWell: Bool, _ summary: DeliveryClaim.Summary,
    in transaction: PostgresTransaction
  ) async throws -> Bool {
    if !isWell { try await queues.giveUp(queue, in: transaction) }
    return false
  }

  func count(_ result: DeliveryResult, for queue: EndpointQueue<TenantID>) {
    let word: String
    switch result {
    case .arrived: word = "delivered"
    case .failed: word = "failed"
    case .pointless, .postponed, .cutOff: return
    }
    Counter(label: "license_server_webhook_attempts_total", dimensions: [("result", word)]).increment()
  }
}
