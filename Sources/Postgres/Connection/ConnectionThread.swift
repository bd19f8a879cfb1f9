/// A thread that owns one connection and runs what is handed to it, in order.
final class ConnectionThread: Sendable {
  typealias Job = @Sendable (LibpqConnection) -> Void

  private struct State: Sendable {
    var jobs = FIFO<Job>()
    var isFinishing = false
  }
  private let monitor = Monitor(State())

  /// Starts the thread. False: the system has no thread left.
  func start(
    name: String, _ configuration: PostgresConfiguration, reconnects: Bool = true, onEnd: @escaping @Sendable () -> Void
  ) -> Bool {
    OSThread.start(name) { [monitor] in
      let connection = LibpqConnection(configuration, reconnects: reconnects)
      while let job = monitor.wait({ state, _ -> Job?? in
        if let job = state.jobs.popFirst() { return .some(job) }
        return state.isFinishing ? .some(nil) : nil
      }) {
        job(connection)
      }
      connection.close()
      onEnd()
    }
  }

  /// Queues a job, which then runs exactly once. False: the thread is finishing, and the job will not run.
  func submit(_ job: @escaping Job) -> Bool {
    monitor.signal { state in
      guard !state.isFinishing else { return false }
      state.jobs.append(job)
      return true
    }
  }

  /// Ends the thread after the jobs queued so far.
  func finish() { monitor.signal { $0.isFinishing = true } }

  /// Runs a job and waits for its result; cancelling the task cancels the statement that runs.
  func run<T: Sendable>(
    ticket: StatementTicket?, _ body: @escaping @Sendable (LibpqConnection) -> Result<T, PostgresError>
  ) async -> Result<T, PostgresError> {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let accepted = submit { continuation.resume(returning: body($0)) }
        if !accepted { continuation.resume(returning: .failure(PostgresError(.closed, "the connection is closed"))) }
      }
    } onCancel: {
      ticket?.cancel()
    }
  }
}

extension Result where Failure == PostgresError {
  /// `Result(catching:)` whose error type the compiler need not infer from the closure.
  init(_ body: () throws(PostgresError) -> Success) {
    do { self = .success(try body()) } catch { self = .failure(error) }
  }
}
