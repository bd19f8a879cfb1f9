package import Logging
import ServerKit

/// Refreshes connections that nobody used for a month, so that no chain of tokens reaches the age of a year, at which it
/// ends. Every replica runs it: a connection that one has refreshed is not idle for the next.
package struct KeepAlive: PeriodicService {
  private let vault: TokenVault
  package let interval: Duration
  package let logger: Logger

  package init(vault: TokenVault, interval: Duration = .seconds(3_600), logger: Logger) {
    self.vault = vault
    self.interval = interval
    self.logger = logger
  }

  package var name: String { "looking for idle connections" }
  package var waitsFirst: Bool { true }

  package func work() async throws {
    let refreshed = try await vault.refreshIdleConnections()
    if refreshed > 0 { logger.info("idle connections refreshed", metadata: ["count": "\(refreshed)"]) }
  }
}
