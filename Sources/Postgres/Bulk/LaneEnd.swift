import Synchronization

/// Something that ends once, and the tasks that wait for its end.
final class LaneEnd: Sendable {
  private struct State {
    var remaining: Int
    var waiters: [CheckedContinuation<Void, Never>] = []
  }
  private let state: Mutex<State>

  /// - Parameter count: how many times `happened` must be called.
  init(count: Int = 1) { state = Mutex(State(remaining: count)) }

  func happened() {
    let waiters = state.withLock { state -> [CheckedContinuation<Void, Never>] in
      state.remaining -= 1
      guard state.remaining == 0 else { return [] }
      defer { state.waiters = [] }
      return state.waiters
    }
    for waiter in waiters { waiter.resume() }
  }

  var isOver: Bool { state.withLock { $0.remaining <= 0 } }

  func wait() async {
    await withCheckedContinuation { continuation in
      let isOver = state.withLock { state in
        if state.remaining > 0 { state.waiters.append(continuation) }
        return state.remaining <= 0
      }
      if isOver { continuation.resume() }
    }
  }
}
