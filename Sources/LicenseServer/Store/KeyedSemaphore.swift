import ServerKit
import Synchronization

/// Lets calls for the same thing pass a few at a time, in the order in which they came, before they take a database connection.
///
/// Otherwise they would wait for each other at a row lock, each holding a connection, and one busy license would take the
/// whole pool from all others. This gate provides only order and fairness within one process. Correctness depends on the lock
/// in the database.
final class KeyedSemaphore<Key: Hashable & Sendable>: Sendable {
  private typealias Waiter = CheckedContinuation<Void, any Error>
  private let queues: Mutex<SemaphoreQueues<Key, Waiter>>

  /// - Parameters:
  ///   - width: how many calls pass at once: one that holds the lock, and one that is ready to take it.
  ///   - maximumWaiting: how many calls may wait for one key; further ones get 503.
  init(width: Int = 2, maximumWaiting: Int = 2_000) {
    queues = Mutex(SemaphoreQueues(width: width, maximumWaiting: maximumWaiting))
  }

  /// Runs `body` when its turn comes.
  /// - Throws: 503 if too many are waiting; `CancellationError` if the task is cancelled while it waits.
  func withPermit<T: Sendable>(_ key: Key, _ body: @Sendable () async throws -> T) async throws -> T {
    try await enter(key)
    defer { queues.withLock { $0.leave(key) }?.resume() }
    return try await body()
  }

  private func enter(_ key: Key) async throws {
    let ticket = queues.withLock { $0.newTicket() }
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { (continuation: Waiter) in
        // A cancellation before this point is seen here; a later one finds the waiter in the queue.
        let entry = queues.withLock { $0.enter(key, ticket, continuation, isCancelled: Task.isCancelled) }
        switch entry {
        case .passes: continuation.resume()
        case .waits: break
        case .isCancelled: continuation.resume(throwing: CancellationError())
        case .isRefused:
          continuation.resume(
            throwing: APIFailure.unavailable("too many calls for one license at once", retryAfter: .seconds(1)))
        }
      }
    } onCancel: {
      queues.withLock { $0.cancel(key, ticket) }?.resume(throwing: CancellationError())
    }
  }
}

/// Which callers pass and which wait. A value: inputs in, decisions out.
struct SemaphoreQueues<Key: Hashable, Waiter> {
  enum Entry: Equatable {
    case passes, waits, isCancelled, isRefused
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

  /// Keys that a caller passes or waits for. Nothing is stored for others.
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
    guard queue.waiting.count < maximumWaiting else { return .isRefused }
    queue.waiting.append((ticket, waiter))
    return .waits
  }

  /// - Returns: the waiter whose turn it is now.
  mutating func leave(_ key: Key) -> Waiter? {
    guard var queue = queues[key] else { return nil }
    // The turn is passed on, so that no new caller can overtake.
    if !queue.waiting.isEmpty {
      let next = queue.waiting.removeFirst().waiter
      queues[key] = queue
      return next
    }
    queue.passing -= 1
    queues[key] = queue.passing == 0 ? nil : queue
    return nil
  }

  /// - Returns: the waiter, if it was still waiting.
  mutating func cancel(_ key: Key, _ ticket: Int) -> Waiter? {
    guard let place = queues[key]?.waiting.firstIndex(where: { $0.ticket == ticket }) else { return nil }
    return queues[key]?.waiting.remove(at: place).waiter
  }
}
