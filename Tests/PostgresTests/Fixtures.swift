import Foundation
import Logging
import Postgres
import TestSupport
import Testing

/// A client without limits of its own on a new database.
let quiet = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

extension PostgresRows {
  /// The only column of the only row.
  func value<T: PostgresDecodable>(_ type: T.Type = T.self) throws -> T {
    guard let row = first else { throw PostgresError(.decoding, "no row") }
    return try row.get(at: 0)
  }
}

/// Calls `condition` until it holds; for states of the server that no signal announces.
func expectEventually(
  sourceLocation: SourceLocation = #_sourceLocation, _ condition: () async throws -> Bool
) async throws {
  let deadline = ContinuousClock.now + .seconds(20)
  while ContinuousClock.now < deadline {
    if try await condition() { return }
    try await Task.sleep(for: .milliseconds(5))
  }
  Issue.record("did not happen in 20 seconds", sourceLocation: sourceLocation)
}

/// The client answers.
func expectWorks(_ client: PostgresClient, sourceLocation: SourceLocation = #_sourceLocation) async throws {
  let one: Int = try await client.query("SELECT 1").value()
  #expect(one == 1, sourceLocation: sourceLocation)
}

/// The error that `body` throws.
func failure<T>(
  isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> T
) async -> PostgresError? {
  do {
    _ = try await body()
    return nil
  } catch {
    return error as? PostgresError
  }
}

/// A folder with migration files, removed afterwards.
func withMigrations<T>(
  _ files: [String: String], isolation: isolated (any Actor)? = #isolation, _ body: (String) async throws -> T
) async throws -> T {
  let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
    "migrations_\(UInt64.random(in: 0 ... .max))")
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  for (name, sql) in files { try Data(sql.utf8).write(to: folder.appendingPathComponent(name)) }
  return try await body(folder.path)
}
