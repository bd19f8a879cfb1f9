import TestSupport
import HTTPTransport

import ServerKit

@testable import LicenseServer

extension Fixture {
  /// Another process on the same database, as after a restart or beside this one.
  func withReplica<T: Sendable>(
    isolation: isolated (any Actor)? = #isolation, _ body: (Fixture) async throws -> T
  ) async throws -> T {
    let server = LicenseServer(
      client: database.client, keyRing: self.server.services.issuing.keyRing, clock: { [clock] in clock.now },
      logger: Self.logger)
    try await server.bootstrap(adminToken: Self.adminToken)
    let router = AppRouter()
    server.addRoutes(to: router)
    return try await withServer(router) { address in
      try await body(
        Fixture(
          database: database, server: server, clock: clock, url: "http://127.0.0.1:\(address.port)",
          transport: transport))
    }
  }
}
