public import Logging
public import ServerKit
import Synchronization

/// One claim of one receiver's queue: a bounded number of deliveries, in a bounded time. While nothing has arrived in it, the
/// first failure ends it, so that a receiver that does not answer gets one request and not everything that waits. A receiver
/// that asks for a pause ends the claim as well.
public struct DeliveryClaim: Sendable {
  /// Deliveries that are under way at the same time, once one has arrived.
  let width: Int
  /// A claim takes nothing more after this.
  let time: Duration

  /// A claim with these bounds.
  public init(width: Int, time: Duration) {
    self.width = width
    self.time = time
  }

  /// What became of a claim's attempts.
  public struct Summary: Sendable {
    /// How many arrived.
    public var arrived: Int
    /// How many failed in a way that says something about the receiver.
    public var failed: Int
    /// The receiver said that it is gone for good.
    public var isGone: Bool
    /// The claim itself failed, whatever the receiver may be like: it is not repeated at once.
    public var isBroken: Bool
    /// What failed last.
    public var error: String?
    /// The longest that the receiver asked to be left alone.
    public var retryAfter: Duration?

    /// What became of a claim. By default, nothing was attempted.
    public init(
      arrived: Int = 0, failed: Int = 0, isGone: Bool = false, isBroken: Bool = false, error: String? = nil,
      retryAfter: Duration? = nil
    ) {
      self.arrived = arrived
      self.failed = failed
      self.isGone = isGone
      self.isBroken = isBroken
      self.error = error
      self.retryAfter = retryAfter
    }

    mutating func count(_ result: DeliveryResult) {
      switch result {
      case .arrived: arrived += 1
      case .failed(let error, _, _, let isGone, let isOfReceiver, let retryAfter):
        guard isOfReceiver else { return }
        if let retryAfter { self.retryAfter = max(self.retryAfter ?? .zero, retryAfter) }
        failed += 1
        self.error = error
        self.isGone = isGone
      case .pointless, .postponed, .cutOff: break
      }
    }
  }

  /// Attempts what is due, in its order.
  ///
  /// - Parameters:
  ///   - attempt: nil when there was nothing to do, because somebody else has it.
  ///   - note: receives the result of each attempt, for metrics.
  ///   - end: called in any case, with what became of the claim; also when the claim failed.
  /// - Throws: what an attempt or `end` threw.
  public func run<Item: Sendable>(
    due: () async throws -> [Item], attempt: @escaping @Sendable (Item) async throws -> DeliveryResult?,
    note: (DeliveryResult) -> Void, end: (Summary) async throws -> Void
  ) async throws {
    var summary = Summary()
    do {
      let due = try await due()
      try await withThrowingTaskGroup(of: DeliveryResult?.self) { group in
        var waiting = due.makeIterator()
        // One goes ahead.
        var open = 1
        var underWay = 0
        let begun = ContinuousClock.now
        while true {
          let goesOn =
            !Task.isCancelled && begun.duration(to: .now) < time && (summary.failed == 0 || summary.arrived > 0)
            && (summary.retryAfter ?? .zero) == .zero
          while goesOn, underWay < open, let item = waiting.next() {
            group.addTask { try await attempt(item) }
            underWay += 1
          }
          guard let ended = try await group.next() else { break }
          underWay -= 1
          guard let result = ended else { continue }
          note(result)
          summary.count(result)
          if summary.arrived > 0 { open = width }
        }
      }
    } catch {
      summary.isBroken = !(error is CancellationError) && !Task.isCancelled
      try await end(summary)
      throw error
    }
    try await end(summary)
  }
}

/// Serves receivers, so many at a time, until it is stopped.
public struct DeliveryRounds<Queue: Sendable>: Sendable {
  let concurrency: Int
  let pollInterval: Duration
  let wakeUp: WakeUp
  let logger: Logger

  /// - Parameter concurrency: receivers that are served at the same time.
  public init(concurrency: Int, pollInterval: Duration, wakeUp: WakeUp, logger: Logger) {
    self.concurrency = concurrency
    self.pollInterval = pollInterval
    self.wakeUp = wakeUp
    self.logger = logger
  }

  /// Claims one receiver after the other and serves it beside the others.
  ///
  /// - Parameters:
  ///   - claim: the queue that is due; nil when none is due.
  ///   - tenant: whose it is, for the log.
  ///   - serve: serves it under its claim. Trouble in it is logged, and costs no other receiver anything.
  public func run(
    claim: () async throws -> Queue?, tenant: @escaping @Sendable (Queue) -> String,
    serve: @escaping @Sendable (Queue) async throws -> Void
  ) async {
    await withDiscardingTaskGroup { group in
      let serving = ServingCount()
      let loop = WorkLoop(name: "claiming deliveries", wakeUp: wakeUp, pollInterval: pollInterval, logger: logger)
      await loop.run {
        guard serving.value < concurrency, let queue = try await claim() else { return false }
        serving.begin()
        group.addTask {
          do { try await serve(queue) } catch {
            if !Task.isCancelled, !(error is CancellationError) {
              logger.error("deliveries failed", metadata: ["tenant": "\(tenant(queue))", "error": "\(error)"])
            }
          }
          serving.end()
          wakeUp.signal()
        }
        return true
      }
    }
  }
}

/// How many claims this process has under way.
private final class ServingCount: Sendable {
  private let count = Atomic(0)

  var value: Int { count.load(ordering: .relaxed) }
  func begin() { count.add(1, ordering: .relaxed) }
  func end() { count.subtract(1, ordering: .relaxed) }
}
