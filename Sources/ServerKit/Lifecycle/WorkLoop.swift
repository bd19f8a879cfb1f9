public import Logging

/// Repeats a piece of work for as long as its task lives.
public struct WorkLoop: Sendable {
  /// What is done, for the log.
  let name: String
  let wakeUp: WakeUp
  let pollInterval: Duration
  let logger: Logger

  /// - Parameter pollInterval: how long to wait before looking again without a wake-up, if there was nothing to do; a quarter
  ///   more or less, so that the looks of replicas are spread.
  public init(name: String, wakeUp: WakeUp, pollInterval: Duration, logger: Logger) {
    self.name = name
    self.wakeUp = wakeUp
    self.pollInterval = pollInterval
    self.logger = logger
  }

  /// Repeats `work` while it returns true, and otherwise waits for a wake-up. A failure (for example of the database) is
  /// logged, and the loop pauses for at most ten seconds. It ends when the task is cancelled.
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
