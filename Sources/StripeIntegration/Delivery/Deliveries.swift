import Delivery
import Foundation
import Identity
import Logging
import Metrics
import Postgres
import ServerKit
import ServiceLifecycle

/// Brings notices and mail to their receivers until it is stopped.
///
/// Any number of replicas run it side by side: what is to be done stands in the database, and each attempt is claimed
/// there. One receiver is served by one turn at a time; see `DeliveryTurns`.
struct Deliveries: Service {
  let turns: DeliveryTurns
  let notices: NoticeCourier
  /// Nil when no relay is configured; mail then waits.
  let mail: MailCourier
  let wakeUp: WakeUp
  /// Receivers that are served at the same time.
  let concurrency: Int
  /// Deliveries to one receiver that are under way at the same time.
  let concurrencyPerLane: Int
  let pollInterval: Duration
  let logger: Logger

  func run() async throws {
    await cancelWhenGracefulShutdown {
      await DeliveryRounds(
        concurrency: concurrency, pollInterval: pollInterval, wakeUp: wakeUp, logger: logger
      ).run(claim: turns.claimNext, tenant: { "\($0.tenant)" }, serve: serve)
    }
  }

  /// One turn of a receiver.
  func serve(_ lane: DeliveryLane) async throws {
    try await DeliveryTurn(width: concurrencyPerLane, time: DeliveryTurns.time).run(
      due: { try await turns.due(lane) }, attempt: { try await deliver($0, lane) },
      note: { Self.count($0, lane) }, end: { try await endTurn(lane, $0) })
  }

  private func deliver(_ delivery: DeliveryID, _ lane: DeliveryLane) async throws -> DeliveryResult? {
    lane.isMail
      ? try await mail.deliver(delivery, of: lane.tenant) : try await notices.deliver(delivery, of: lane.tenant)
  }

  private static func count(_ result: DeliveryResult, _ lane: DeliveryLane) {
    let word: String
    switch result {
    case .arrived: word = "arrived"
    case .failed: word = "failed"
    case .pointless, .postponed, .cutOff: return
    }
    let channel = lane.isMail ? "email" : "endpoint"
    Counter(label: "stripe_deliveries_total", dimensions: [("channel", channel), ("result", word)]).increment()
  }

  /// A turn ends properly even when the service is being stopped, so that no other replica waits for it to expire.
  private func endTurn(_ lane: DeliveryLane, _ summary: DeliveryTurns.Summary) async throws {
    let disabled = try await Task { try await turns.end(lane, summary) }.value
    if disabled != nil {
      logger.warning(
        "notice endpoint is disabled", metadata: ["tenant": "\(lane.tenant)", "endpoint": "\(lane.id)"])
    }
  }
}
