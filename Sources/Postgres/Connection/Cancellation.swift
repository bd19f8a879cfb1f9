import CLibpq
import Synchronization

/// One running statement from the caller's view. It can be cancelled at any time: before, while and after it runs.
final class StatementTicket: Sendable {
  private let cancelled = Atomic<Bool>(false)
  /// Where it runs, once it does.
  private let slot = Mutex<CancelSlot?>(nil)

  var isCancelled: Bool { cancelled.load(ordering: .sequentiallyConsistent) }

  /// Called on the connection's thread before anything is sent.
  func attach(to slot: CancelSlot) { self.slot.withLock { $0 = slot } }

  /// Never blocks on the network: a thread of its own sends the request.
  func cancel() {
    cancelled.store(true, ordering: .sequentiallyConsistent)
    if let slot = slot.withLock({ $0 }) { CancelThread.shared.submit(self, in: slot) }
  }
}

/// The right to cancel the statement that runs on one connection.
///
/// A cancel request names a session and not a statement, so it must not arrive when the next one has begun. Therefore it
/// is sent with this lock held, and a statement begins and ends under the same lock: once a statement has ended, no
/// request for it is still under way.
final class CancelSlot: Sendable {
  /// Owns libpq's cancel key. Safe to move between threads: libpq documents PQcancel as thread-safe, the key is never
  /// changed, and it is used only under the slot's lock.
  private final class Key: @unchecked Sendable {
    let pointer: OpaquePointer
    init(_ pointer: OpaquePointer) { self.pointer = pointer }
    deinit { PQfreeCancel(pointer) }
  }

  private struct State {
    var running: StatementTicket?
    var key: Key?
  }
  private let state = Mutex(State())

  func connected(_ connection: OpaquePointer) {
    let key = PQgetCancel(connection).map { Key($0) }
    state.withLock { $0.key = key }
  }

  func disconnected() { state.withLock { $0.key = nil } }

  func begin(_ ticket: StatementTicket?) { state.withLock { $0.running = ticket } }
  func end() { state.withLock { $0.running = nil } }

  /// Whether the statement is still running; if so, the server was asked to end it.
  func requestCancel(of ticket: StatementTicket) -> Bool {
    state.withLock { state in
      guard state.running === ticket else { return false }
      guard let key = state.key else { return true }
      var message = [CChar](repeating: 0, count: 256)
      _ = PQcancel(key.pointer, &message, Int32(message.count))
      return true
    }
  }
}

/// Sends cancel requests, which open a connection and wait: one thread for the process, started at the first request.
///
/// A request that reaches the server before the statement does is ignored there. So it is repeated until the statement
/// has ended.
final class CancelThread: Sendable {
  static let shared = CancelThread()

  private struct Entry: Sendable {
    var ticket: StatementTicket
    var slot: CancelSlot
    var next: ContinuousClock.Instant
    var pause: Duration
  }
  private struct State: Sendable {
    var entries: [Entry] = []
    var isRunning = false
  }
  private let monitor = Monitor(State())

  func submit(_ ticket: StatementTicket, in slot: CancelSlot) {
    let mustStart = monitor.signal { state in
      state.entries.append(Entry(ticket: ticket, slot: slot, next: .now, pause: .milliseconds(20)))
      defer { state.isRunning = true }
      return !state.isRunning
    }
    if mustStart, !OSThread.start("pg-cancel", { self.run() }) {
      // No thread is available: the statement runs to its end or its timeout, and the next request tries again.
      monitor.withLock { $0.isRunning = false }
    }
  }

  private func run() {
    while true {
      var entry = monitor.wait { state, deadline in
        let now = ContinuousClock.now
        guard let first = state.entries.indices.min(by: { state.entries[$0].next < state.entries[$1].next }) else {
          return nil as Entry?
        }
        guard state.entries[first].next <= now else {
          deadline = state.entries[first].next
          return nil
        }
        return state.entries.remove(at: first)
      }
      if entry.slot.requestCancel(of: entry.ticket) {
        entry.next = .now + entry.pause
        entry.pause = min(entry.pause * 2, .seconds(1))
        monitor.withLock { $0.entries.append(entry) }
      }
    }
  }
}
