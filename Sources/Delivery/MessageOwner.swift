package import Identity
package import Postgres
package import Storage

/// Whose messages they are: a tenant of one of the two products.
package protocol MessageOwner: QueueKey, CustomStringConvertible {
  /// What a message is about.
  associatedtype Subject: Sendable

  static var messageTables: MessageTables { get }

  /// Reads the columns of ``MessageTables/subject``.
  static func subject(of row: PostgresRow) throws -> Subject
}

/// The subject of ``MessageDeliveryID``.
package enum MessageDeliveryTag {}

/// The id of a delivery: one message to one endpoint. A replay keeps it, so that a receiver knows a repetition by it.
package typealias MessageDeliveryID = ID<MessageDeliveryTag>
