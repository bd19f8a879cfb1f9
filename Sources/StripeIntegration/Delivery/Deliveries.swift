import Foundation
import Identity
import Logging
import Metrics
import Postgres
import ServiceLifecycle
import Synchronization

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
      await withDiscardingTaskGroup { group in
        let serving = ServingCount()
        var failures = 0
        while !Task.isCancelled {
          do {
            guard serving.value < concurrency, let lane = try await turns.claimNext() else {
              failures = 0
              await wakeUp.wait(atMost: pollInterval)
              continue
            }
            failures = 0
            serving.begin()
            group.addTask {
              await serveReporting(lane)
              serving.end()
              wakeUp.signal()
            }
          } catch is CancellationError {
            return
          } catch {
            failures += 1
            if !Task.isCancelled { logger.error("deliveries cannot be claimed", metadata: ["error": "\(error)"]) }
            try? await Task.sleep(for: .milliseconds(min(100 << min(failures, 8), 10_000)))
          }
        }
      }
    }
  }

  private func serveReporting(_ lane: DeliveryLane) async {
    do {
      try await serve(lane)
    } catch is CancellationError {
      return
    } catch {
      if !Task.isCancelled {
        logger.error("deliveries failed", metadata: ["tenant": "\(lane.tenant)", "error": "\(error)"])
      }
    }
  }

  /// One turn of a receiver: a bounded number of deliveries, in a bounded time. While nothing has arrived in it, the first
  /// failure ends it: a receiver that is away is not tried with everything that waits for it.
  func serve(_ lane: DeliveryLane) async throws {
    var summary = DeliveryTurns.Summary()
    do {
      let due = try await turns.due(lane)
      try await withThrowingTaskGroup(of: DeliveryResult?.self) { group in
        var waiting = due.makeIterator()
        // One goes ahead.
        var open = 1
        var underWay = 0
        let begun = ContinuousClock.now
        while true {
          let goesOn =
            !Task.isCancelled && begun.duration(to: .now) < DeliveryTurns.time
            && (summary.failed == 0 || summary.arrived > 0)
          while goesOn, underWay < open, let delivery = waiting.next() {
            group.addTask { try await deliver(delivery, lane) }
            underWay += 1
          }
          guard let ended = try await group.next() else { break }
          underWay -= 1
          guard let result = ended else { continue }
          Self.count(result, lane, &summary)
          if summary.arrived > 0 { open = concurrencyPerLane }
        }
      }
    } catch {
      summary.isBroken = !(error is CancellationError) && !Task.isCancelled
      try await endTurn(lane, summary)
      throw error
    }
    try await endTurn(lane, summary)
  }

  private func deliver(_ delivery: DeliveryID, _ lane: DeliveryLane) async throws -> DeliveryResult? {
    lane.isMail
      ? try await mail.deliver(delivery, of: lane.tenant) : try await notices.deliver(delivery, of: lane.tenant)
  }

  private static func count(
    _ result: DeliveryResult, _ lane: DeliveryLane, _ summary: inout DeliveryTurns.Summary
  ) {
    let channel = lane.isMail ? "email" : "endpoint"
    switch result {
    case .arrived:
      summary.arrived += 1
      Counter(label: "stripe_deliveries_total", dimensions: [("channel", channel), ("result", "arrived")]).increment()
    case .failed(let error, _, _, let isGone, let isOfReceiver):
      if isOfReceiver {
        summary.failed += 1
        summary.error = error
        summary.isGone = isGone
      }
      Counter(label: "stripe_deliveries_total", dimensions: [("channel", channel), ("result", "failed")]).increment()
    case .pointless, .postponed, .cutOff: break
    }
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

/// How many turns this process has under way.
private final class ServingCount: Sendable {
  private let count = Atomic(0)

  var value: Int { count.load(ordering: .relaxed) }
  func begin() { count.add(1, ordering: .relaxed) }
  func end() { count.subtract(1, ordering: .relaxed) }
}
