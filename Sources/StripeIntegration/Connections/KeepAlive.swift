package import Logging
import ServiceLifecycle

/// Refreshes connections that nobody used for a month, so that no chain of tokens reaches the year after which it ends.
/// Every replica runs it: a connection that one has refreshed is not idle for the next.
package struct KeepAlive: Service {
  private let vault: TokenVault
  private let interval: Duration
  private let logger: Logger

  /// - Parameter interval: between two looks; each replica spreads its own a little.
  package init(vault: TokenVault, interval: Duration = .seconds(3_600), logger: Logger) {
    self.vault = vault
    self.interval = interval
    self.logger = logger
  }

  /// Looks again and again until it is stopped.
  package func run() async throws {
    await cancelWhenGracefulShutdown {
      while !Task.isCancelled {
        do {
          try await Task.sleep(for: interval * Double.random(in: 0.75...1.25))
          let refreshed = try await vault.refreshIdleConnections()
          if refreshed > 0 { logger.info("idle connections refreshed", metadata: ["count": "\(refreshed)"]) }
        } catch is CancellationError {
          return
        } catch {
          logger.error("looking for idle connections failed", metadata: ["error": "\(error)"])
        }
      }
    }
  }
}
