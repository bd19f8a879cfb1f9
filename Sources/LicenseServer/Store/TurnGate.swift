import ServerKit
import Synchronization

/// Lets calls for the same thing pass a few at a time, in the order in which they came, before they take a database connection.
///
/// They would wait for each other anyway, at a row lock, but each with a connection in hand: one busy license would keep the
/// whole pool from all others. This gate is about order and fairness within one process only. What is right does not depend
/// on it: the lock in the database decides.
final class TurnGate<Key: Hashable & Sendable>: Sendable {
  private typealias Waiter = CheckedContinuation<Void, any Error>
  private let queues: Mutex<TurnQueues<Key, Waiter>>

  /// - Parameters:
  ///   - width: calls that are let through at once: one that holds the lock, and one that is ready to take it.
  ///   - maximumWaiting: calls that wait for one key; more are turned away with 503.
  init(width: Int = 2, maximumWaiting: Int = 2_000) {
    queues = Mutex(TurnQueues(width: width, maximumWaiting: maximumWaiting))
  }

  /// Runs `body` when it is its turn.
  /// - Throws: 503 when too many wait already; `CancellationError` when the task is cancelled while it waits.
  func turn<T: Sendable>(_ key: Key, _ body: @Sendable () async throws -> T) async throws -> T {
    try await enter(key)
    defer { queues.withLock { $0.leave(key) }?.resume() }
    return try await body()
  }

  private func enter(_ key: Key) async throws {
    let ticket = queues.withLock { $0.newTicket() }
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { (continuation: Waiter) in
        // A cancellation before this runs is seen here, one after it finds the waiter in the queue.
        let entry = queues.withLock { $0.enter(key, ticket, continuation, isCancelled: Task.isCancelled) }
        switch entry {
        case .passes: continuation.resume()
        case .waits: break
        case .isCancelled: continuation.resume(throwing: CancellationError())
        case .isTurnedAway:
          continuation.resume(
            throwing: APIFailure.unavailable("too many calls for one license at once", retryAfter: .seconds(1)))
        }
      }
    } onCancel: {
      queues.withLock { $0.cancel(key, ticket) }?.resume(throwing: CancellationError())
    }
  }
}

/// Who passes and who waits. A value: it is told what happens and says what follows.
struct TurnQueues<Key: Hashable, Waiter> {
  enum Entry: Equatable {
    case passes, waits, isCancelled, isTurnedAway
  }

  private struct Queue {
    var passing = 0
    var waiting: [(ticket: Int, waiter: Waiter)] = []
  }

  let width: Int
  let maximumWaiting: Int
  private var queues: [Key: Queue] = [:]
  private var tickets = 0

  init(width: Int, maximumWaiting: Int) {
    self.width = width
    self.maximumWaiting = maximumWaiting
  }

  /// Keys that anybody passes or waits for. Nothing is kept of others.
  var keys: Int { queues.count }

  mutating func newTicket() -> Int {
    tickets += 1
    return tickets
  }

  mutating func enter(_ key: Key, _ ticket: Int, _ waiter: Waiter, isCancelled: Bool = false) -> Entry {
    guard !isCancelled else { return .isCancelled }
    var queue = queues[key] ?? Queue()
    defer { queues[key] = queue }
    guard queue.passing >= width else {
      queue.passing += 1
      return .passes
    }
    guard queue.waiting.count < maximumWaiting else { return .isTurnedAway }
    queue.waiting.append((ticket, waiter))
    return .waits
  }

  /// - Returns: whose turn it is now.
  mutating func leave(_ key: Key) -> Waiter? {
    guard var queue = queues[key] else { return nil }
    // The turn is handed on, so that nobody who comes now can overtake.
    if !queue.waiting.isEmpty {
      let next = queue.waiting.removeFirst().waiter
      queues[key] = queue
      return next
    }
    queue.passing -= 1
    queues[key] = queue.passing == 0 ? nil : queue
    return nil
  }

  /// - Returns: the one that waited, if it still did.
  mutating func cancel(_ key: Key, _ ticket: Int) -> Waiter? {
    guard let place = queues[key]?.waiting.firstIndex(where: { $0.ticket == ticket }) else { return nil }
    return queues[key]?.waiting.remove(at: place).waiter
  }
}
