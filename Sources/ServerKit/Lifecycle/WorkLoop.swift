public import Logging

/// Repeats a piece of work for as long as its task lives.
public struct WorkLoop: Sendable {
  /// What is done, for the log.
  let name: String
  let wakeUp: WakeUp
  let pollInterval: Duration
  let logger: Logger

  /// - Parameter pollInterval: how long to wait, when there was nothing to do, before looking again without a call; a quarter
  ///   more or less, so that the looks of replicas are spread.
  public init(name: String, wakeUp: WakeUp, pollInterval: Duration, logger: Logger) {
    self.name = name
    self.wakeUp = wakeUp
    self.pollInterval = pollInterval
    self.logger = logger
  }

  /// Repeats `work` while it answers that there was some, and waits for a wake-up where there was none. Trouble (the
  /// database is away, say) is logged and waited out, ten seconds at most. Ends when the task is cancelled.
  public func run(isolation: isolated (any Actor)? = #isolation, _ work: () async throws -> Bool) async {
    var failures = 0
    while !Task.isCancelled {
      do {
        let didWork = try await work()
        failures = 0
        if !didWork { await wakeUp.wait(atMost: pollInterval * Double.random(in: 0.75...1.25)) }
      } catch is CancellationError {
        return
      } catch {
        failures += 1
        if !Task.isCancelled {
          logger.error("\(name) failed", metadata: ["error": "\(type(of: error)): \(error)"])
        }
        try? await Task.sleep(for: .milliseconds(min(100 << min(failures, 8), 10_000)))
      }
    }
  }
}
