public import Logging
public import ServiceLifecycle
import Synchronization

/// Many callers, few commits: one call of a closure, usually one `INSERT … SELECT … FROM unnest(…)`, writes all waiting
/// items, and every caller resumes after the commit with the outcome of its own item.
///
/// A few lanes take turns, each a thread with a connection of its own: each takes all waiting items (at most `maximumBatch`),
/// one item of each fairness key in turn. So a lone item is written at once, and batches grow by themselves under load.
///
/// Promises:
/// - A caller is resumed exactly once: with an outcome only after `write` returned it, else with an error.
/// - If the data is refused (``PostgresError/mayConcernRow``, or any error that `write` itself throws), the batch is halved
///   and tried again until only the bad item fails. Deadlocks and serialization failures between lanes are tried again.
/// - If the connection breaks, every item of the batch fails; with `.outcomeUnknown` it may have been kept.
/// - More than `maximumWaiting` items, or more than half of that with one key, are refused with `.overloaded`.
/// - If a waiting caller is cancelled, its item is withdrawn; an item that is being written is finished.
public final class GroupCommit<Item: Sendable, Outcome: Sendable>: Sendable, Service {
  /// Writes items and returns one outcome for each, in the same order. It runs on a lane's thread and may block only on
  /// the connection. It must be one statement or one transaction, as it is run again after the server refused it; items
  /// that could conflict between lanes are best sorted by their key first.
  public typealias Write = @Sendable ([Item], PostgresLaneConnection) throws -> [Outcome]

  public struct Limits: Sendable {
    /// Two lanes were measured to be the best: more compete for the same log flush.
    public var lanes = 2
    public var maximumBatch = 512
    public var maximumWaiting = 8192
    public init(lanes: Int = 2, maximumBatch: Int = 512, maximumWaiting: Int = 8192) {
      self.lanes = lanes
      self.maximumBatch = maximumBatch
      self.maximumWaiting = maximumWaiting
    }
  }

  private typealias Entry = PendingItem<Item, Outcome>
  private struct State: Sendable {
    var queue = FairQueue<String, Entry>()
    var isClosing = false
  }

  private let limits: Limits
  private let fairnessKey: @Sendable (Item) -> String
  private let monitor = Monitor(State())
  private let ended: LaneEnd

  /// - Parameters:
  ///   - client: names the server; its pool is not used.
  ///   - sessionRole: the role of the lanes' sessions, instead of the configuration's.
  ///   - synchronousCommit: false for data that may be lost if the server crashes: see
  ///     ``PostgresConfiguration/synchronousCommit``.
  ///   - fairnessKey: the key of an item's owner.
  public init(
    client: PostgresClient, limits: Limits = .init(), sessionRole: String? = nil, synchronousCommit: Bool = true,
    logger: Logger, fairnessKey: @escaping @Sendable (Item) -> String, write: @escaping Write
  ) {
    precondition(limits.lanes > 0 && limits.maximumBatch > 0 && limits.maximumWaiting > 1, "limits must be positive")
    self.limits = limits
    self.fairnessKey = fairnessKey
    var configuration = client.configuration
    if let sessionRole { configuration.sessionRole = sessionRole }
    if !synchronousCommit { configuration.synchronousCommit = false }
    ended = LaneEnd(count: limits.lanes)
    for number in 1...limits.lanes {
      let lane = CommitLane(
        writer: BatchWriter(write: write), configuration: configuration, logger: logger,
        next: { [monitor, limits] in
          monitor.wait { state, _ -> [Entry]?? in
            if !state.queue.isEmpty { return .some(state.queue.take(upTo: limits.maximumBatch)) }
            return state.isClosing ? .some(nil) : nil
          }
        })
      let started = OSThread.start("pg-commit-\(number)") { [ended] in
        lane.run()
        ended.happened()
      }
      if !started {
        logger.error("cannot start a writer: the system has no thread left")
        ended.happened()
      }
    }
  }

  deinit { monitor.broadcast { $0.isClosing = true } }

  /// Hands over an item and waits until it is committed.
  /// - Throws: `PostgresError` or what `write` threw.
  public func submit(_ item: Item) async throws -> Outcome {
    let entry = Entry(item)
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        guard entry.wait(continuation) else { return }
        if let error = enqueue(entry) { entry.end(.failure(error)) }
      }
    } onCancel: {
      entry.cancel()
    }
  }

  /// How many items wait, for metrics.
  public var waiting: Int { monitor.withLock { $0.queue.count } }

  /// Refuses new items, writes the waiting ones, and returns after the lanes have ended.
  public func shutdown() async {
    monitor.broadcast { $0.isClosing = true }
    await ended.wait()
  }

  /// Stays until the task is cancelled or a graceful shutdown begins, then drains.
  public func run() async throws {
    try? await gracefulShutdown()
    await shutdown()
  }

  private func enqueue(_ entry: Entry) -> PostgresError? {
    let key = fairnessKey(entry.item)
    return monitor.signal { state in
      if state.isClosing { return PostgresError(.closed, "the writer is shutting down") }
      if ended.isOver { return PostgresError(.closed, "no writer is running") }
      guard state.queue.count < limits.maximumWaiting, state.queue.count(of: key) < max(1, limits.maximumWaiting / 2)
      else { return PostgresError(.overloaded, "too many items wait to be written") }
      state.queue.append(entry, for: key)
      return nil
    }
  }
}

/// One item on its way. Either its lane or its cancellation resumes its caller, whichever comes first.
final class PendingItem<Item: Sendable, Outcome: Sendable>: Sendable {
  private enum State {
    case new
    case waiting(CheckedContinuation<Outcome, any Error>)
    case writing(CheckedContinuation<Outcome, any Error>)
    case over
  }

  let item: Item
  private let state = Mutex(State.new)

  init(_ item: Item) { self.item = item }

  /// False: it was cancelled before, and the continuation was already resumed.
  func wait(_ continuation: CheckedContinuation<Outcome, any Error>) -> Bool {
    let isNew = state.withLock { state in
      guard case .new = state else { return false }
      state = .waiting(continuation)
      return true
    }
    if !isNew { continuation.resume(throwing: Self.cancelled) }
    return isNew
  }

  /// Called by the lane that took it. False: it was withdrawn.
  func beginWriting() -> Bool {
    state.withLock { state in
      guard case .waiting(let continuation) = state else { return false }
      state = .writing(continuation)
      return true
    }
  }

  func end(_ result: Result<Outcome, any Error>) {
    let continuation = state.withLock { state -> CheckedContinuation<Outcome, any Error>? in
      defer { state = .over }
      switch state {
      case .waiting(let continuation), .writing(let continuation): return continuation
      case .new, .over: return nil
      }
    }
    continuation?.resume(with: result)
  }

  func cancel() {
    let continuation = state.withLock { state -> CheckedContinuation<Outcome, any Error>? in
      switch state {
      case .new:
        state = .over
        return nil
      case .waiting(let continuation):
        state = .over
        return continuation
      case .writing, .over:
        return nil
      }
    }
    continuation?.resume(throwing: Self.cancelled)
  }

  private static var cancelled: PostgresError {
    PostgresError(.cancelled, "cancelled before it was written")
  }
}
