import Logging

/// Writes a batch and returns the outcome of each item: the complete rule of splitting and trying again, without threads or
/// I/O of its own.
struct BatchWriter<Item: Sendable, Outcome: Sendable>: Sendable {
  let write: @Sendable ([Item], PostgresLaneConnection) throws -> [Outcome]

  /// How many times a batch is tried that loses against another transaction.
  private static var attempts: Int { 4 }

  func outcomes(_ items: ArraySlice<Item>, _ attempt: ([Item]) throws -> [Outcome]) -> [Result<Outcome, any Error>] {
    var remaining = Self.attempts
    while true {
      remaining -= 1
      do {
        let outcomes = try attempt(Array(items))
        guard outcomes.count == items.count else {
          throw PostgresError(.misuse, "\(outcomes.count) outcomes for \(items.count) items")
        }
        return outcomes.map { .success($0) }
      } catch  where Self.mayConcernItem(error) && items.count > 1 {
        let middle = items.startIndex + items.count / 2
        return self.outcomes(items[..<middle], attempt) + self.outcomes(items[middle...], attempt)
      } catch let error as PostgresError where error.isConflict && remaining > 0 {
        continue
      } catch {
        return items.map { _ in .failure(error) }
      }
    }
  }
}

extension BatchWriter {
  /// Whether one of the items may be at fault, so that the others succeed without it. Errors of `write` itself concern the
  /// items that it was given.
  private static func mayConcernItem(_ error: any Error) -> Bool {
    (error as? PostgresError).map(\.mayConcernRow) ?? true
  }
}

extension PostgresError {
  /// Another transaction conflicted, and the server has undone this one.
  fileprivate var isConflict: Bool { sqlState == .serializationFailure || sqlState == .deadlockDetected }
}

/// The loop of one lane.
struct CommitLane<Item: Sendable, Outcome: Sendable>: Sendable {
  let writer: BatchWriter<Item, Outcome>
  let configuration: PostgresConfiguration
  let logger: Logger
  /// The next batch; nil means the end.
  let next: @Sendable () -> [PendingItem<Item, Outcome>]?

  func run() {
    let connection = LibpqConnection(configuration)
    defer { connection.close() }
    var pause = configuration.initialBackoff
    while let batch = next() {
      let entries = batch.filter { $0.beginWriting() }
      guard !entries.isEmpty else { continue }
      let items = entries.map(\.item)
      let results = writer.outcomes(items[...]) { items in
        defer { connection.rollBack() }
        return try writer.write(items, PostgresLaneConnection(connection, ticket: nil))
      }
      for (entry, result) in zip(entries, results) { entry.end(result) }

      guard connection.couldNotConnect else {
        pause = configuration.initialBackoff
        continue
      }
      // Items that come meanwhile fail together at the next attempt, or are written by it.
      logger.warning("cannot connect to Postgres to write", metadata: ["items": "\(items.count)"])
      OSThread.sleep(pause)
      pause = min(pause * 2, configuration.maximumBackoff)
    }
  }
}
