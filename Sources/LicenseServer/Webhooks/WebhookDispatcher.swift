import Cryptography
import Delivery
import Foundation
import HTTPTransport
import Identity
import JSON
import LicenseKitAPI
import Logging
import Metrics
import Postgres
import ServerKit
import ServiceLifecycle

/// Brings events to endpoints until it is stopped.
///
/// Any number of replicas run it side by side: what is to be done stands in the database, and each queue and each attempt
/// is claimed there.
struct WebhookDispatcher: Service {
  let store: TenantStore
  let keyRing: KeyRing
  let clock: ServerClock
  let transport: any HTTPSending
  /// Where events may go: vendors choose the addresses, and must not reach what is behind this machine's firewall.
  let destinations: AddressPolicy
  let wakeUp: WakeUp
  /// Endpoints that are served at the same time.
  let concurrency: Int
  let pollInterval: Duration
  let logger: Logger

  /// Deliveries to one endpoint that are under way at the same time.
  static let width = 4

  var queues: WebhookQueues { WebhookQueues(store: store) }

  func run() async throws {
    await cancelWhenGracefulShutdown {
      await DeliveryRounds(
        concurrency: concurrency, pollInterval: pollInterval, wakeUp: wakeUp, logger: logger
      ).run(claim: queues.claimNext, tenant: { "\($0.tenant)" }, serve: serve)
    }
  }

  /// One claim of one endpoint's queue.
  func serve(_ queue: WebhookQueue) async throws {
    try await DeliveryClaim(width: Self.width, time: WebhookQueues.time).run(
      due: { try await queues.due(queue) }, attempt: { try await deliver($0, to: queue) }, note: Self.count,
      // A claim ends properly even when the service is being stopped, so that no other replica waits for it to expire.
      end: { summary in try await Task { try await queues.end(queue, summary) }.value })
  }

  /// Makes one attempt.
  /// - Returns: nil when the delivery was not due any more.
  func deliver(_ delivery: WebhookDeliveryID, to queue: WebhookQueue) async throws -> DeliveryResult? {
    // In a transaction of its own: an attempt that cannot be prepared counts as well, or it would be made for ever.
    let claimed = try await store.transaction(queue.tenant) { transaction in
      try await WebhookAttempts(queue: queue, transaction: transaction).begin(delivery)
    }
    guard let attempt = claimed else { return nil }
    let begun = ContinuousClock.now
    let result: DeliveryResult
    do {
      switch try await prepare(attempt) {
      case .request(let request): result = await transport.deliver(request)
      case .nothing(let reason): result = reason
      }
    } catch {
      result = .unprepared(error)
    }
    let took = begun.duration(to: .now)
    // What was tried is noted even when the service is being stopped.
    try await Task {
      try await store.transaction(queue.tenant) { transaction in
        try await WebhookAttempts(queue: queue, transaction: transaction).finish(attempt, result, took: took)
      }
    }.value
    return result
  }

  private enum Prepared: Sendable {
    case request(HTTPTransportRequest)
    case nothing(DeliveryResult)
  }

  private func prepare(_ attempt: WebhookAttempt) async throws -> Prepared {
    let queue = attempt.queue
    return try await store.transaction(queue.tenant, readOnly: true) { transaction in
      let row = try await transaction.query(
        """
        SELECT url, is_active, sealed_secret, CASE WHEN former_secret_until > now() THEN former_sealed_secret END AS former
          FROM license_server.webhook_endpoints
         WHERE tenant_id = \(queue.tenant) AND id = \(queue.endpoint)
        """
      ).first
      guard let row else { return .nothing(.pointless("The endpoint is not there any more.")) }
      guard try row.get("is_active", as: Bool.self) else {
        return .nothing(.postponed("The endpoint is not active.", seconds: 0))
      }
      guard let event = try await event(of: attempt, in: transaction) else {
        return .nothing(.pointless("The event is not there any more."))
      }
      let encrypted = [try row.get("sealed_secret", as: [UInt8].self), try row.get("former", as: [UInt8]?.self)]
      let context = WebhookSecret.context(queue.endpoint, queue.tenant)
      let message = try WebhookMessage(
        event, delivery: attempt.delivery,
        secrets: encrypted.compactMap { $0 }.map { try keyRing.decryptText($0, context: context) }, at: clock.now())
      return .request(
        DeliveryRequest.post(
          message.body, to: try row.get("url"), headers: message.headers, destinations: destinations))
    }
  }

  private func event(of attempt: WebhookAttempt, in transaction: PostgresTransaction) async throws -> Event? {
    guard let sequence = attempt.sequence else {
      return Event(
        sequence: 0, eventType: WebhookDelivery.testType, actorType: .system, actorID: "webhook_test",
        resourceType: "webhook", resourceID: attempt.queue.endpoint.rawValue, metadata: [:],
        createdAt: attempt.createdAt)
    }
    return try await transaction.query(
      """
      SELECT sequence, event_type, actor_type, actor_id, resource_type, resource_id, metadata::text AS metadata, ip_address,
             created_at
        FROM license_server.events
       WHERE tenant_id = \(attempt.queue.tenant) AND sequence = \(sequence)
      """
    ).first.map(Event.init(row:))
  }

  private static func count(_ result: DeliveryResult) {
    let word: String
    switch result {
    case .arrived: word = "delivered"
    case .failed: word = "failed"
    case .pointless, .postponed, .cutOff: return
    }
    Counter(label: "license_server_webhook_attempts_total", dimensions: [("result", word)]).increment()
  }
}
