package import Cryptography
package import Postgres
import Storage

/// The secrets that messages to endpoints are signed with, encrypted where they are stored. While one is replaced, the former
/// one signs as well, so that a receiver can change over at leisure.
package struct EndpointSecrets<Owner: MessageOwner>: Sendable {
  /// Where they are stored: one row an endpoint.
  package struct Columns: Sendable {
    let table: PostgresQuery
    let endpointID: String
    let secret: String
    let former: String
    let formerUntil: String

    package init(table: PostgresQuery, endpointID: String, secret: String, former: String, formerUntil: String) {
      self.table = table
      self.endpointID = endpointID
      self.secret = secret
      self.former = former
      self.formerUntil = formerUntil
    }
  }

  let keyRing: KeyRing
  let columns: Columns
  /// What binds an encrypted secret to its endpoint, so that it opens nowhere else.
  let context: @Sendable (EndpointQueue<Owner>) -> [String]

  package init(
    keyRing: KeyRing, columns: Columns, context: @escaping @Sendable (EndpointQueue<Owner>) -> [String]
  ) {
    self.keyRing = keyRing
    self.columns = columns
    self.context = context
  }

  /// A secret as it is stored.
  package func encrypt(_ secret: String, of queue: EndpointQueue<Owner>) throws -> [UInt8] {
    try keyRing.encrypt(secret, context: context(queue))
  }

  /// Columns for ``signing(_:of:)``.
  package var selection: PostgresQuery {
    """
    \(unescaped: columns.secret) AS secret,
    CASE WHEN \(unescaped: columns.formerUntil) > now() THEN \(unescaped: columns.former) END AS former_secret
    """
  }

  /// The secrets that sign now, out of a row with the columns of ``selection``; the newer one first.
  package func signing(_ row: PostgresRow, of queue: EndpointQueue<Owner>) throws -> [String] {
    let encrypted = [try row.get("secret", as: [UInt8].self), try row.get("former_secret", as: [UInt8]?.self)]
    return try encrypted.compactMap(\.self).map { try keyRing.decryptText($0, context: context(queue)) }
  }

  /// Assignments of an UPDATE of the endpoint's row that replace the secret. A former one that still signed is void at once.
  /// - Parameter hours: how long the one that is replaced signs as well; 0: not at all.
  package func replacement(by encrypted: [UInt8], overlap hours: Int) -> PostgresQuery {
    """
    \(unescaped: columns.secret)      = \(encrypted)::bytea,
    \(unescaped: columns.former)      = CASE WHEN \(hours) > 0 THEN \(unescaped: columns.secret) END,
    \(unescaped: columns.formerUntil) = CASE WHEN \(hours) > 0 THEN now() + \("\(hours) hours")::text::interval END
    """
  }

  /// Encrypts the owner's secrets again that were encrypted under another key than the ring's first. It is safe beside live
  /// work, and can be repeated.
  /// - Parameter transaction: of the owner.
  /// - Returns: how many endpoints had such a secret.
  package func reencrypt(_ owner: Owner, in transaction: PostgresTransaction) async throws -> Int {
    let rows = try await transaction.query(
      """
      SELECT e.\(unescaped: columns.endpointID) AS id, e.\(unescaped: columns.secret) AS secret,
             e.\(unescaped: columns.former) AS former_secret
        FROM \(fragment: columns.table) e
       WHERE \(fragment: owner.isKey(of: "e"))
         FOR NO KEY UPDATE
      """)
    var count = 0
    for row in rows {
      let queue = EndpointQueue(of: owner, id: try row.get("id"))
      let (secret, former): ([UInt8], [UInt8]?) = (try row.get("secret"), try row.get("former_secret"))
      let newSecret = try keyRing.reencrypted(secret, context: context(queue))
      let newFormer = try former.flatMap { try keyRing.reencrypted($0, context: context(queue)) }
      guard newSecret != nil || newFormer != nil else { continue }
      try await transaction.query(
        """
        UPDATE \(fragment: columns.table) e
           SET \(unescaped: columns.secret) = \(newSecret ?? secret),
               \(unescaped: columns.former) = \(newFormer ?? former)
         WHERE \(fragment: owner.isKey(of: "e"))
           AND e.\(unescaped: columns.endpointID) = \(queue.id)
        """)
      count += 1
    }
    return count
  }
}
