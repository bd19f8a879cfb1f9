import Synchronization

/// How much is unfinished over all connections of a server, and its limits.
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

  /// Counts one more request whose body is awaited; returns false, and does not count it, if there are too many.
  func begin() -> Bool {
    state.withLock { state in
      guard state.requests < maximumRequests else { return false }
      state.requests += 1
      return true
    }
  }

  /// One request less.
  func end() { state.withLock { $0.requests -= 1 } }

  /// Counts bytes that have arrived and are still needed. They count even if there are too many, since they are in memory.
  /// - Returns: whether there is room for them.
  func hold(_ count: Int) -> Bool {
    guard count > 0 else { return true }
    return state.withLock { state in
      state.bytes += count
      return state.bytes <= maximumBytes
    }
  }

  /// The bytes are no longer needed.
  func release(_ count: Int) {
    guard count > 0 else { return }
    state.withLock { $0.bytes -= count }
  }

  /// The current counts, for tests.
  var counts: (requests: Int, bytes: Int) { state.withLock { ($0.requests, $0.bytes) } }
}
