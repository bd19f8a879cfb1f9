import Delivery
import Foundation
import Identity
import Logging
import Metrics
import Postgres
import ServerKit
import ServiceLifecycle

/// Brings messages and mail to their receivers until it is stopped.
///
/// Any number of replicas run it side by side: what is to be done stands in the database, and each attempt is claimed
/// there. One receiver is served under one claim at a time; see `EndpointQueues`.
struct Deliveries: Service {
  let queues: EndpointQueues
  let messages: MessageSender
  /// Nil when no relay is configured; mail then waits.
  let mail: MailSender
  let wakeUp: WakeUp
  /// Receivers that are served at the same time.
  let concurrency: Int
  /// Deliveries to one receiver that are under way at the same time.
  let concurrencyPerQueue: Int
  let pollInterval: Duration
  let logger: Logger

  func run() async throws {
    await cancelWhenGracefulShutdown {
      await DeliveryRounds(
        concurrency: concurrency, pollInterval: pollInterval, wakeUp: wakeUp, logger: logger
      ).run(claim: queues.claimNext, tenant: { "\($0.tenant)" }, serve: serve)
    }
  }

  /// One claim of one receiver's queue.
  func serve(_ queue: EndpointQueue) async throws {
    try await DeliveryClaim(width: concurrencyPerQueue, time: EndpointQueues.time).run(
      due: { try await queues.due(queue) }, attempt: { try await deliver($0, queue) },
      note: { Self.count($0, queue) }, end: { try await endClaim(queue, $0) })
  }

  private func deliver(_ delivery: DeliveryID, _ queue: EndpointQueue) async throws -> DeliveryResult? {
    queue.isMail
      ? try await mail.deliver(delivery, of: queue.tenant) : try await messages.deliver(delivery, of: queue.tenant)
  }

  private static func count(_ result: DeliveryResult, _ queue: EndpointQueue) {
    let word: String
    switch result {
    case .arrived: word = "arrived"
    case .failed: word = "failed"
    case .pointless, .postponed, .cutOff: return
    }
    let channel = queue.isMail ? "email" : "endpoint"
    Counter(label: "stripe_deliveries_total", dimensions: [("channel", channel), ("result", word)]).increment()
  }

  /// A claim ends properly even when the service is being stopped, so that no other replica waits for it to expire.
  private func endClaim(_ queue: EndpointQueue, _ summary: EndpointQueues.Summary) async throws {
    let disabled = try await Task { try await queues.end(queue, summary) }.value
    if disabled != nil {
      logger.warning(
        "notice endpoint is disabled", metadata: ["tenant": "\(queue.tenant)", "endpoint": "\(queue.id)"])
    }
  }
}
