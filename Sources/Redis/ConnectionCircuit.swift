/// Decides when one connection is tried, when commands are accepted, and when they are refused at once. A plain value without
/// clock or socket: the lane's thread tells it what happened, and callers ask it for admission.
struct ConnectionCircuit: Sendable {
  typealias Instant = ContinuousClock.Instant

  enum State: Sendable, Hashable {
    /// No attempt has ended yet. Commands wait for the first one.
    case starting
    /// Connected. Commands are accepted.
    case up
    /// An idle connection turned out to be closed, and the first attempt to replace it is running. Nothing is lost and the
    /// server is probably there, so commands wait for the result.
    case replacing
    /// Not connected. Commands are refused; the next attempt is due at a time.
    case down(failures: Int, retryAt: Instant)
    /// An attempt after failures is running. Commands are still refused.
    case halfOpen(failures: Int)
    /// Ended for good.
    case closed
  }

  /// What the lane's thread must do now.
  enum Step: Sendable, Hashable {
    case connect
    case serve
    case wait(until: Instant)
    case stop
  }

  private(set) var state: State = .starting
  let backoff: RedisBackoff

  init(backoff: RedisBackoff) {
    self.backoff = backoff
  }

  /// Whether a command may join the queue; otherwise it fails at once.
  var admitsCommands: Bool {
    switch state {
    case .starting, .up, .replacing: true
    case .down, .halfOpen, .closed: false
    }
  }

  /// What to do at this time.
  mutating func step(now: Instant) -> Step {
    switch state {
    case .starting, .replacing: return .connect
    case .up: return .serve
    case .down(let failures, let retryAt):
      guard retryAt <= now else { return .wait(until: retryAt) }
      state = .halfOpen(failures: failures)
      return .connect
    case .halfOpen: return .connect
    case .closed: return .stop
    }
  }

  /// The attempt succeeded, including log-in and first reply.
  mutating func connected() {
    if state != .closed { state = .up }
  }

  /// The idle connection was found closed before anything was written to it.
  mutating func foundStale() {
    if state == .up { state = .replacing }
  }

  /// The attempt failed, or a connection broke or fell silent while replies were awaited.
  mutating func failed(now: Instant, jitter: Double) {
    let failures: Int
    switch state {
    case .starting, .up, .replacing: failures = 1
    case .down(let count, _), .halfOpen(let count): failures = count + 1
    case .closed: return
    }
    state = .down(failures: failures, retryAt: now + backoff.delay(afterFailures: failures, jitter: jitter))
  }

  /// Ends the circuit.
  mutating func close() { state = .closed }
}
