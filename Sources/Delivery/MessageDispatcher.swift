package import Logging
package import ServerKit
import ServiceLifecycle

/// Brings messages to the endpoints of one product until it is stopped.
///
/// Any number of replicas run it at the same time: the database holds what is to be done, and each queue and each attempt is
/// claimed there.
package struct MessageDispatcher<Channel: MessageChannel>: Service {
  package typealias Queue = EndpointQueue<Channel.Owner>

  package let channel: Channel
  let wakeUp: WakeUp
  /// Endpoints that are served at the same time.
  let concurrency: Int
  /// Deliveries to one endpoint that are under way at the same time.
  let width: Int
  let pollInterval: Duration
  let logger: Logger

  /// - Parameters:
  ///   - wakeUp: signalled when something is to be delivered.
  ///   - concurrency: endpoints that are served at the same time.
  ///   - width: deliveries to one endpoint that are under way at the same time.
  ///   - pollInterval: how long something that another replica wrote may wait before this one looks for it.
  package init(
    _ channel: Channel, wakeUp: WakeUp, concurrency: Int, width: Int = 4, pollInterval: Duration, logger: Logger
  ) {
    self.channel = channel
    self.wakeUp = wakeUp
    self.concurrency = concurrency
    self.width = width
    self.pollInterval = pollInterval
    self.logger = logger
  }

  package func run() async throws {
    await cancelWhenGracefulShutdown {
      await DeliveryRounds(
        concurrency: concurrency, pollInterval: pollInterval, wakeUp: wakeUp, logger: logger
      ).run(claim: claimNext, tenant: { "\($0.owner)" }, serve: serve)
    }
  }

  /// Claims the endpoint that has been due longest; nil if none is due.
  package func claimNext() async throws -> Queue? {
    try await channel.claiming { transaction in try await channel.queues.claimNext(in: transaction) }
  }

  /// One claim of one endpoint's queue. It ends properly even if the service is stopping, so that no other replica waits for it
  /// to expire.
  package func serve(_ queue: Queue) async throws {
    try await DeliveryClaim(width: width, time: EndpointQueues<Channel.Owner>.time).run(
      due: { try await due(queue) }, attempt: { try await deliver($0, to: queue) },
      note: { channel.count($0, for: queue) },
      end: { summary in try await uncancelled { try await end(queue, summary) } })
  }

  /// The deliveries that one claim takes.
  package func due(_ queue: Queue) async throws -> [MessageDeliveryID] {
    try await channel.transaction(for: queue.owner) { transaction in
      try await channel.queues.due(queue, in: transaction)
    }
  }

  /// Ends a claim.
  package func end(_ queue: Queue, _ summary: DeliveryClaim.Summary) async throws {
    try await channel.transaction(for: queue.owner) { transaction in
      try await channel.queues.end(queue, summary, in: transaction) { isWell in
        try await channel.health(of: queue, isWell: isWell, summary, in: transaction)
      }
    }
  }

  /// Makes one attempt.
  /// - Returns: nil when the delivery was not due any more.
  package func deliver(_ delivery: MessageDeliveryID, to queue: Queue) async throws -> DeliveryResult? {
    let preparation = try await channel.prepare(delivery, for: queue)
    try Task.checkCancellation()
    // In a transaction of its own: an attempt that cannot be prepared counts as well, or it would be made for ever.
    let claimed = try await begin(delivery, of: queue)
    guard let attempt = claimed else { return nil }
    let begun = ContinuousClock.now
    let result: DeliveryResult
    do { result = try await channel.send(attempt, preparation) } catch { result = .unprepared(error) }
    let took = begun.duration(to: .now)
    // What was tried is noted even if the service is stopping.
    try await uncancelled { try await finish(attempt, result, took: took) }
    return result
  }

  /// Claims the next attempt of a delivery.
  /// - Returns: nil when the delivery is not due any more, or somebody else's.
  package func begin(
    _ delivery: MessageDeliveryID, of queue: Queue
  ) async throws -> MessageAttempt<Channel.Owner>? {
    try await channel.transaction(for: queue.owner) { transaction in
      try await MessageAttempts(queue, in: transaction).begin(delivery, claim: channel.queues.claim)
    }
  }

  /// Notes how an attempt ended.
  package func finish(
    _ attempt: MessageAttempt<Channel.Owner>, _ result: DeliveryResult, took duration: Duration
  ) async throws {
    try await channel.transaction(for: attempt.queue.owner) { transaction in
      let ended = try await MessageAttempts(attempt.queue, in: transaction).finish(attempt, result, took: duration)
      if let ended { try await channel.ended(ended, in: transaction) }
    }
  }
}
