import Logging
import Synchronization

/// Performs what `PoolStateMachine` decides: threads, leases and time.
final class ConnectionPool: Sendable {
  /// The right to use a connection until `release`.
  struct Lease: Sendable {
    let id: PoolStateMachine.ConnectionID
    let thread: ConnectionThread
  }

  typealias Completion = @Sendable (Result<Lease, PostgresError>) -> Void

  private struct State: Sendable {
    var machine: PoolStateMachine
    var threads: [PoolStateMachine.ConnectionID: ConnectionThread] = [:]
    var completions: [PoolStateMachine.WaiterID: Completion] = [:]
    var lastWaiter = 0
    var lastConnectError: String?
    var finishedCallbacks: [@Sendable () -> Void] = []
    var isFinished = false
  }

  private struct Alarm: Sendable {
    var time: ContinuousClock.Instant?
    var isStopped = false
    var isStarted = false
  }

  private let configuration: PostgresConfiguration
  private let logger: Logger
  private let state: Mutex<State>
  private let alarm = Monitor(Alarm())

  init(_ configuration: PostgresConfiguration, logger: Logger) {
    self.configuration = configuration
    self.logger = logger
    state = Mutex(
      State(
        machine: PoolStateMachine(
          .init(
            maximumConnections: max(1, configuration.maximumConnections),
            acquireTimeout: configuration.acquireTimeout, idleLifetime: configuration.idleLifetime,
            initialBackoff: configuration.initialBackoff, maximumBackoff: configuration.maximumBackoff))))
  }

  // MARK: Use

  /// Runs `body` on a connection as soon as one is free. `after` may keep the lease, as a transaction does.
  func run<T: Sendable>(
    _ ticket: StatementTicket, keepLease: Bool = false,
    _ body: @escaping @Sendable (LibpqConnection, Lease) -> Result<T, PostgresError>
  ) async -> Result<T, PostgresError> {
    let waiter = state.withLock { state in
      state.lastWaiter += 1
      return state.lastWaiter
    }
    return await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        acquire(waiter) { result in
          switch result {
          case .failure(let error):
            continuation.resume(returning: .failure(error))
          case .success(let lease):
            let accepted = lease.thread.submit { connection in
              let result = body(connection, lease)
              if !keepLease || (try? result.get()) == nil { self.release(lease, connection) }
              continuation.resume(returning: result)
            }
            if !accepted {
              continuation.resume(returning: .failure(PostgresError(.closed, "the connection is closed")))
            }
          }
        }
        // A cancellation that came before the waiter was registered found nothing to cancel.
        if ticket.isCancelled { cancel(waiter) }
      }
    } onCancel: {
      ticket.cancel()
      cancel(waiter)
    }
  }

  /// Gives a lease back; on the connection's thread.
  func release(_ lease: Lease, _ connection: LibpqConnection) {
    connection.rollBack()
    let condition: PoolStateMachine.Condition =
      connection.state.cleanup == .reuse ? .healthy : connection.couldNotConnect ? .unreachable : .broken
    perform { $0.machine.release(lease.id, condition, now: .now) }
  }

  private func acquire(_ waiter: PoolStateMachine.WaiterID, _ completion: @escaping Completion) {
    perform { state in
      state.completions[waiter] = completion
      return state.machine.acquire(waiter, now: .now)
    }
  }

  private func cancel(_ waiter: PoolStateMachine.WaiterID) { perform { $0.machine.cancel(waiter) } }

  /// Refuses new work and closes each connection when it is free. `finished` is called after the last has ended.
  func close(finished: @escaping @Sendable () -> Void) {
    perform { state in
      if state.isFinished { return [.finished] }  // answered below, with the callback just added
      return state.machine.close()
    } before: { state in
      state.finishedCallbacks.append(finished)
    }
  }

  /// Idle, leased and waiting, for metrics.
  var counts: (connections: Int, idle: Int, waiting: Int) {
    state.withLock { ($0.machine.connectionCount, $0.machine.idleCount, $0.machine.waiterCount) }
  }

  // MARK: Performing

  private enum Effect: Sendable {
    case complete(Completion, Result<Lease, PostgresError>)
    case open(PoolStateMachine.ConnectionID, ConnectionThread)
    case finish(ConnectionThread)
    case finished([@Sendable () -> Void])
  }

  /// Gives inputs to the machine under the lock and performs its actions outside of it, so that no foreign code runs locked.
  private func perform(
    _ input: (inout State) -> [PoolStateMachine.Action], before: (inout State) -> Void = { _ in }
  ) {
    let (effects, deadline) = state.withLock { state -> ([Effect], ContinuousClock.Instant?) in
      before(&state)
      let actions = input(&state)
      return (actions.compactMap { effect($0, &state) }, state.machine.nextDeadline)
    }
    for effect in effects {
      switch effect {
      case .complete(let completion, let result): completion(result)
      case .open(let id, let thread): open(id, thread)
      case .finish(let thread): thread.finish()
      case .finished(let callbacks):
        alarm.signal { $0.isStopped = true }
        for callback in callbacks { callback() }
      }
    }
    if let deadline { setAlarm(deadline) }
  }

  private func effect(_ action: PoolStateMachine.Action, _ state: inout State) -> Effect? {
    switch action {
    case .lease(let id, let waiter):
      guard let completion = state.completions.removeValue(forKey: waiter), let thread = state.threads[id] else {
        return nil
      }
      return .complete(completion, .success(Lease(id: id, thread: thread)))
    case .fail(let waiter, let failure):
      guard let completion = state.completions.removeValue(forKey: waiter) else { return nil }
      return .complete(completion, .failure(error(failure, state.lastConnectError)))
    case .open(let id):
      let thread = ConnectionThread()
      state.threads[id] = thread
      return .open(id, thread)
    case .close(let id):
      return state.threads[id].map { .finish($0) }
    case .finished:
      state.isFinished = true
      defer { state.finishedCallbacks = [] }
      return .finished(state.finishedCallbacks)
    }
  }

  private func error(_ failure: PoolStateMachine.Failure, _ connectError: String?) -> PostgresError {
    switch failure {
    case .timeout: PostgresError(.timeout, "no connection became free in \(configuration.acquireTimeout)")
    case .unreachable: PostgresError(.connection, connectError ?? "the server cannot be reached")
    case .cancelled: PostgresError(.cancelled, "cancelled before a connection was free")
    case .closed: PostgresError(.closed, "the client is closed")
    }
  }

  private func open(_ id: PoolStateMachine.ConnectionID, _ thread: ConnectionThread) {
    let started = thread.start(name: "pg-\(id)", configuration) { [self] in
      perform { state in
        state.threads[id] = nil
        return state.machine.ended(id, now: .now)
      }
    }
    guard started else {
      perform { state in
        state.lastConnectError = "the system has no thread left"
        let closing = state.machine.openFailed(id, now: .now)
        state.threads[id] = nil
        return closing + state.machine.ended(id, now: .now)
      }
      return
    }
    _ = thread.submit { [self] connection in
      do throws(PostgresError) {
        try connection.connect()
        perform { $0.machine.opened(id, now: .now) }
      } catch {
        logger.warning("cannot connect to Postgres", metadata: ["error": "\(error.message)"])
        perform { state in
          state.lastConnectError = error.message
          return state.machine.openFailed(id, now: .now)
        }
      }
    }
  }

  // MARK: Time

  private func setAlarm(_ time: ContinuousClock.Instant) {
    let (wake, start) = alarm.withLock { alarm -> (Bool, Bool) in
      guard !alarm.isStopped, alarm.time.map({ time < $0 }) ?? true else { return (false, false) }
      alarm.time = time
      defer { alarm.isStarted = true }
      return (alarm.isStarted, !alarm.isStarted)
    }
    if wake { alarm.signal { _ in } }
    guard start else { return }
    let started = OSThread.start("pg-pool") { [weak self, alarm] in
      while alarm.wait({ alarm, deadline -> Bool? in
        if alarm.isStopped { return false }
        guard let time = alarm.time else { return nil }
        if time <= .now {
          alarm.time = nil
          return true
        }
        deadline = time
        return nil
      }) {
        self?.perform { $0.machine.tick(now: .now) }
      }
    }
    if !started { alarm.withLock { $0.isStarted = false } }
  }
}
