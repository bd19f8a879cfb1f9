import Synchronization

/// How much is unfinished over all connections of a server, with its bounds.
final class ServerLoad: Sendable {
  private struct State {
    var requests = 0
    var bytes = 0
  }

  private let state = Mutex(State())
  private let maximumRequests: Int
  private let maximumBytes: Int

  init(maximumRequests: Int, maximumBytes: Int) {
    self.maximumRequests = maximumRequests
    self.maximumBytes = maximumBytes
  }

  /// Counts one more request whose body is awaited; false, and not counted, when there are too many.
  func begin() -> Bool {
    state.withLock { state in
      guard state.requests < maximumRequests else { return false }
      state.requests += 1
      return true
    }
  }

  /// One request less.
  func end() { state.withLock { $0.requests -= 1 } }

  /// Counts bytes that have arrived and are still needed. They count even when there are too many, since they are there.
  /// - Returns: whether there is room for them.
  func hold(_ count: Int) -> Bool {
    guard count > 0 else { return true }
    return state.withLock { state in
      state.bytes += count
      return state.bytes <= maximumBytes
    }
  }

  /// They are needed no more.
  func release(_ count: Int) {
    guard count > 0 else { return }
    state.withLock { $0.bytes -= count }
  }

  /// For tests: what is counted now.
  var counts: (requests: Int, bytes: Int) { state.withLock { ($0.requests, $0.bytes) } }
}
