package import Foundation
package import Postgres

/// A queue in a table with one row a key. Whoever claims a key does a bounded piece of its work and lets it go to the end of
/// the queue, so that the flood of one delays no other by more than one claim.
///
/// `due_at` says when a key is due. A held claim ends with ``release(_:isBlocked:nextDue:in:)``, or by itself when
/// `claimed_until` has passed: so a replica that dies loses nothing, and one that lives extends its claim in time. A repeated
/// claim is over at once: the key is due again after a while, whatever comes of its work.
///
/// All functions run in a transaction of the caller, whose role decides which rows there are. The expressions see the queue's
/// row under the alias `q`.
package struct ClaimQueue<Key: QueueKey>: Sendable {
  /// How long a claim lasts.
  package enum Claim: Sendable {
    /// - Parameter interval: an expression: how long a replica that dies keeps the key waiting.
    case held(PostgresQuery)
    /// - Parameter interval: an expression: after how long the key is due again.
    case repeated(PostgresQuery)
  }

  let table: PostgresQuery
  let claim: Claim
  let notBefore: PostgresQuery
  let admits: PostgresQuery

  /// - Parameters:
  ///   - table: one row a key, with an index on `due_at`.
  ///   - notBefore: an expression: the key is not due before this time, whatever its work says.
  ///   - admits: a condition: the key may be claimed.
  package init(
    table: PostgresQuery, claim: Claim, notBefore: PostgresQuery = "'-infinity'::timestamptz",
    admits: PostgresQuery = "true"
  ) {
    self.table = table
    self.claim = claim
    self.notBefore = notBefore
    self.admits = admits
  }

  private var isFree: PostgresQuery {
    switch claim {
    case .held: "q.claimed_until <= now()"
    case .repeated: "true"
    }
  }

  private var claimed: PostgresQuery {
    switch claim {
    case .held(let interval): "claimed_until = now() + \(fragment: interval)"
    case .repeated(let interval): "due_at = now() + \(fragment: interval)"
    }
  }

  private var released: PostgresQuery {
    switch claim {
    case .held: ", claimed_until = '-infinity'"
    case .repeated: ""
    }
  }

  /// Claims the key that has been due longest; nil if none is due. Only one claim gets it, over all replicas.
  package func claimNext(in transaction: PostgresTransaction) async throws -> Key? {
    try await transaction.query(
      """
      WITH next AS (
        SELECT \(fragment: Key.columns(of: "q"))
          FROM \(fragment: table) q
         WHERE q.due_at <= now()
           AND \(fragment: isFree)
           AND \(fragment: admits)
         ORDER BY q.due_at
         LIMIT 1
           FOR NO KEY UPDATE OF q SKIP LOCKED
      )
      UPDATE \(fragment: table) q
         SET \(fragment: claimed)
        FROM next n
       WHERE \(fragment: Key.areEqual("q", "n"))
      RETURNING \(fragment: Key.columns(of: "q"))
      """
    ).first.map(Key.init(key:))
  }

  /// The keys that are due, longest first. They are claimed one by one, with ``claim(_:in:)``.
  package func due(atMost limit: Int, in transaction: PostgresTransaction) async throws -> [Key] {
    try await transaction.query(
      """
      SELECT \(fragment: Key.columns(of: "q"))
        FROM \(fragment: table) q
       WHERE q.due_at <= now()
         AND \(fragment: isFree)
         AND \(fragment: admits)
       ORDER BY q.due_at
       LIMIT \(limit)
      """
    ).map(Key.init(key:))
  }

  /// Claims a key that is still due.
  /// - Returns: whether this claim got it.
  package func claim(_ key: Key, in transaction: PostgresTransaction) async throws -> Bool {
    try await transaction.query(
      """
      UPDATE \(fragment: table) q
         SET \(fragment: claimed)
       WHERE \(fragment: key.isKey(of: "q"))
         AND q.due_at <= now()
         AND \(fragment: isFree)
      """
    ).affectedRows > 0
  }

  /// Keeps a held claim for another while.
  package func extend(_ key: Key, in transaction: PostgresTransaction) async throws {
    try await transaction.query(
      """
      UPDATE \(fragment: table) q
         SET \(fragment: claimed)
       WHERE \(fragment: key.isKey(of: "q"))
      """)
  }

  /// Makes the key due, but not before the queue's own earliest time.
  /// - Parameter moment: now when nil. A key that is due sooner stays so.
  package func enqueue(_ key: Key, at moment: Date? = nil, in transaction: PostgresTransaction) async throws {
    try await transaction.query(
      """
      INSERT INTO \(fragment: table) AS q (\(fragment: Key.columns()), due_at)
      VALUES (\(fragment: key.values), COALESCE(\(moment)::timestamptz, now()))
      ON CONFLICT (\(fragment: Key.columns())) DO UPDATE
         SET due_at = GREATEST(\(fragment: notBefore), LEAST(q.due_at, excluded.due_at))
      """)
  }

  /// Locks the key's row until the end of the transaction.
  ///
  /// It is locked before the work is looked at, so that what is enqueued meanwhile is either seen then or makes the key due
  /// after this.
  /// - Parameter columns: of the row `q`, to be read.
  /// - Returns: these columns; nil if there is no such row.
  package func lock(
    _ key: Key, reading columns: PostgresQuery = "q.due_at", in transaction: PostgresTransaction
  ) async throws -> PostgresRow? {
    try await transaction.query(
      """
      SELECT \(fragment: columns)
        FROM \(fragment: table) q
       WHERE \(fragment: key.isKey(of: "q"))
         FOR NO KEY UPDATE
      """
    ).first
  }

  /// Ends a claim: the key is due again when its next piece of work is, behind those that wait now.
  /// - Parameters:
  ///   - isBlocked: a condition: nothing can be done, so that the key is not due until somebody enqueues it.
  ///   - nextDue: an expression: when the next piece of its work is due; NULL if there is none.
  package func release(
    _ key: Key, isBlocked: PostgresQuery = "false", nextDue: PostgresQuery, in transaction: PostgresTransaction
  ) async throws {
    _ = try await lock(key, in: transaction)
    try await reschedule(key, isBlocked: isBlocked, nextDue: nextDue, changes: released, in: transaction)
  }

  /// Makes the key due when its next piece of work is. A claim stays what it is.
  package func reschedule(
    _ key: Key, isBlocked: PostgresQuery = "false", nextDue: PostgresQuery, in transaction: PostgresTransaction
  ) async throws {
    try await reschedule(key, isBlocked: isBlocked, nextDue: nextDue, changes: "", in: transaction)
  }

  private func reschedule(
    _ key: Key, isBlocked: PostgresQuery, nextDue: PostgresQuery, changes: PostgresQuery,
    in transaction: PostgresTransaction
  ) async throws {
    try await transaction.query(
      """
      UPDATE \(fragment: table) q
         SET due_at = CASE WHEN \(fragment: isBlocked) THEN 'infinity'::timestamptz
                           ELSE GREATEST(now(), \(fragment: notBefore), COALESCE(\(fragment: nextDue), 'infinity'::timestamptz)) END
             \(fragment: changes)
       WHERE \(fragment: key.isKey(of: "q"))
      """)
  }
}
