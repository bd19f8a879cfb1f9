internal import Dispatch
internal import Synchronization

/// The commands waiting for one connection, and its circuit, shared by callers and the lane's thread.
final class LaneMailbox: Sendable {
  private struct State {
    var queue: [RedisCommand] = []
    var circuit: ConnectionCircuit
  }

  private let state: Mutex<State>
  private let maximumQueued: Int
  /// Signalled when the thread has something new to look at.
  private let bell = DispatchSemaphore(value: 0)

  init(backoff: RedisBackoff, maximumQueued: Int) {
    state = Mutex(State(circuit: ConnectionCircuit(backoff: backoff)))
    self.maximumQueued = maximumQueued
  }

  // MARK: Callers

  /// Whether commands are taken at the moment.
  var admitsCommands: Bool { state.withLock { $0.circuit.admitsCommands } }

  /// Queues a command, or answers it at once when there is no connection or no room.
  func submit(_ command: RedisCommand) {
    let refusal: RedisError? = state.withLock { state in
      guard state.circuit.admitsCommands else { return .unavailable("not connected") }
      guard state.queue.count < maximumQueued else { return .overloaded }
      state.queue.append(command)
      if state.queue.count == 1 { bell.signal() }
      return nil
    }
    if let refusal { command.answer(.failure(refusal)) }
  }

  /// Ends the lane; everything queued is answered.
  func close() {
    let left = state.withLock { state in
      state.circuit.close()
      defer { state.queue = [] }
      return state.queue
    }
    for command in left { command.answer(.failure(.unavailable("closed"))) }
    bell.signal()
  }

  // MARK: The lane's thread

  /// What to do now.
  func step() -> ConnectionCircuit.Step {
    state.withLock { $0.circuit.step(now: .now) }
  }

  /// Tells the circuit that the connection is up.
  func connected() {
    state.withLock { $0.circuit.connected() }
  }

  /// Tells the circuit that an idle connection was closed by the server.
  func foundStale() {
    state.withLock { $0.circuit.foundStale() }
  }

  /// Tells the circuit of a failure. Everything queued fails with it: none of it was sent.
  func failed(_ error: RedisError) {
    let left = state.withLock { state in
      state.circuit.failed(now: .now, jitter: .random(in: 0...1))
      defer { state.queue = [] }
      return state.queue
    }
    for command in left { command.answer(.failure(error)) }
  }

  /// Sleeps until the bell rings, at most until a time.
  func sleep(until deadline: ContinuousClock.Instant?) {
    guard let deadline else { return bell.wait() }
    let milliseconds = ContinuousClock.now.duration(to: deadline).positiveMilliseconds
    _ = bell.wait(timeout: .now() + .milliseconds(Int(clamping: milliseconds)))
  }

  /// Takes the next commands in order: those that together have at most these words' bytes, but at least one.
  func take(maximumCount: Int, maximumBytes: Int) -> [RedisCommand] {
    state.withLock { state in
      var bytes = 0
      var count = 0
      for command in state.queue.prefix(maximumCount) {
        bytes += command.words.count
        if count > 0, bytes > maximumBytes { break }
        count += 1
      }
      if count == state.queue.count {
        defer { state.queue = [] }
        return state.queue
      }
      let batch = Array(state.queue.prefix(count))
      state.queue.removeFirst(count)
      return batch
    }
  }
}
