public import Logging
public import ServiceLifecycle

/// A service that repeats a piece of work, with a pause in between, until it is stopped. Every replica may run it: the pauses
/// differ a little, so that replicas that started together do not stay together.
public protocol PeriodicService: Service {
  /// What is done, for the log: "removing old events".
  var name: String { get }
  /// The pause between two pieces of work, a quarter more or less.
  var interval: Duration { get }
  /// Whether the first piece also waits for the interval.
  var waitsFirst: Bool { get }
  var logger: Logger { get }

  /// One piece of work. An error is logged, and the next piece is tried after the interval as usual.
  func work() async throws
}

extension PeriodicService {
  public var waitsFirst: Bool { false }

  public func run() async throws {
    await cancelWhenGracefulShutdown {
      if waitsFirst { await pause() }
      while !Task.isCancelled {
        do {
          try await work()
        } catch {
          if !Task.isCancelled, !(error is CancellationError) {
            logger.warning("\(name) failed", metadata: ["error": "\(error)"])
          }
        }
        await pause()
      }
    }
  }

  private func pause() async { try? await Task.sleep(for: interval * Double.random(in: 0.75...1.25)) }
}
