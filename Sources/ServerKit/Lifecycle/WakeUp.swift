import Synchronization

/// Tells waiting workers that there is something to do, without saying what: a worker that wakes looks for itself. Several
/// calls before anybody waits count as one.
public final class WakeUp: Sendable {
  private struct State {
    var isSet = false
    var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
    var next = 0
  }

  private let state = Mutex(State())

  /// Nobody was called yet.
  public init() {}

  /// Wakes every waiting worker, or if there is none, the next one that waits.
  public func signal() {
    let waiters = state.withLock { state in
      defer { state.waiters = [:] }
      if state.waiters.isEmpty { state.isSet = true }
      return Array(state.waiters.values)
    }
    for waiter in waiters { waiter.resume() }
  }

  /// Returns when signalled, after the time-out, or when the task is cancelled.
  public func wait(atMost timeout: Duration) async {
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await self.nextSignal() }
      group.addTask { try? await Task.sleep(for: timeout) }
      await group.next()
      group.cancelAll()
    }
  }

  private func nextSignal() async {
    let id = state.withLock { state in
      state.next += 1
      return state.next
    }
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isReady = state.withLock { state in
          if state.isSet || Task.isCancelled {
            state.isSet = false
            return true
          }
          state.waiters[id] = continuation
          return false
        }
        if isReady { continuation.resume() }
      }
    } onCancel: {
      state.withLock { $0.waiters.removeValue(forKey: id) }?.resume()
    }
  }
}
