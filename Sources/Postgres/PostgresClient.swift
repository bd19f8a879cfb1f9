public import Logging
public import ServiceLifecycle

/// A pool of connections to one Postgres database.
///
/// Each connection is owned by one thread that runs blocking libpq; callers hand statements over and are resumed when the
/// answer is there, so no cooperative thread ever waits for the network. Connections are opened when they are needed;
/// one that broke is replaced.
public final class PostgresClient: Sendable, Service {
  public let configuration: PostgresConfiguration

  public init(_ configuration: PostgresConfiguration, logger: Logger) {
    self.configuration = configuration
  }

  /// Stays until the task is cancelled or a graceful shutdown begins, then closes everything. Queries work without it, too.
  public func run() async throws {}

  /// Refuses new work, lets running statements and transactions end, closes all connections, and returns after that.
  public func close() async {}

  @discardableResult
  public func query(_ query: PostgresQuery) async throws -> PostgresRows { throw PostgresError(.closed, "") }

  public func transaction<T: Sendable>(
    _ options: TransactionOptions = .init(), isolation: isolated (any Actor)? = #isolation,
    _ body: (PostgresTransaction) async throws -> T
  ) async throws -> T { throw PostgresError(.closed, "") }

  public func listen(_ channel: String) -> AsyncStream<PostgresNotification> { AsyncStream { $0.finish() } }
}

public struct PostgresTransaction: Sendable {
  @discardableResult
  public func query(_ query: PostgresQuery) async throws -> PostgresRows { throw PostgresError(.closed, "") }
}

public enum PostgresNotification: Sendable, Hashable {
  case connected
  case notification(payload: String)
}

public struct Migrator: Sendable {
  public struct Applied: Sendable, Hashable {
    public let version: Int
    public let name: String
  }
  public init(directory: String, schemaTable: String? = nil, client: PostgresClient) {}
  public func migrate() async throws -> [Applied] { [] }
}
