import ServerKit
import Synchronization

/// How many claims go on without a worker that waits for them.
///
/// The servers behind a tenant may hang, and vendors choose some of them. A worker leaves a claim that makes no progress and goes
/// on to the next tenant; the claim ends by itself. There are bounds to that: each claim keeps some connections open.
package final class SlowClaims: Sendable {
  /// A worker leaves a claim that has made no progress for this long.
  package let patience: Duration
  private let most: Int
  private let count = Mutex(0)

  /// - Parameter most: while so many go on by themselves, a worker waits for its own to end.
  package init(patience: Duration = .milliseconds(500), most: Int = 24) {
    self.patience = patience
    self.most = most
  }

  /// - Returns: false where there is no room for one more.
  fileprivate func enter() -> Bool {
    count.withLock { count in
      guard count < most else { return false }
      count += 1
      return true
    }
  }

  fileprivate func leave() { count.withLock { $0 -= 1 } }
}

/// One claim, between the task that serves it and the worker that began it.
package final class ClaimUnderWay: Sendable {
  private enum State {
    case waitedFor(since: ContinuousClock.Instant)
    /// The worker has gone on.
    case left
    case over((any Error)?)
  }

  private let slow: SlowClaims
  private let state = Mutex(State.waitedFor(since: .now))
  private let over = WakeUp()

  package init(_ slow: SlowClaims) { self.slow = slow }

  /// Something of the claimed work was done.
  package func progressed() {
    state.withLock { state in
      if case .waitedFor = state { state = .waitedFor(since: .now) }
    }
  }

  /// - Returns: whether a worker hears of the failure.
  package func end(_ failure: (any Error)?) -> Bool {
    let wasLeft = state.withLock { state in
      defer { state = .over(failure) }
      if case .left = state { return true }
      return false
    }
    if wasLeft { slow.leave() }
    over.signal()
    return !wasLeft
  }

  /// Returns when the work is over, or goes on by itself, or the worker is cancelled.
  /// - Throws: what the work ended with that is over.
  package func wait() async throws {
    while !Task.isCancelled {
      let since: ContinuousClock.Instant
      switch state.withLock({ $0 }) {
      case .left: return
      case .over(let failure):
        if let failure { throw failure }
        return
      case .waitedFor(let moment): since = moment
      }
      let left = since + slow.patience - .now
      if left <= .zero, leave() { return }
      // Where there is no room, it is looked at again and again: another claim may end.
      await over.wait(atMost: max(left, slow.patience / 4))
    }
  }

  /// - Returns: whether the claim goes on by itself from now on.
  private func leave() -> Bool {
    guard slow.enter() else { return false }
    let isLeft = state.withLock { state in
      guard case .waitedFor = state else { return false }
      state = .left
      return true
    }
    if !isLeft { slow.leave() }
    return isLeft
  }
}
