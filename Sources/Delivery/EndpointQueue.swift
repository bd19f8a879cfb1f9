package import Postgres
import Storage

/// The queue of one endpoint.
package struct EndpointQueue<Owner: MessageOwner>: QueueKey {
  package let owner: Owner
  /// The endpoint's id, or the name of another way to the receiver.
  package let id: String

  package init(of owner: Owner, id: String) {
    self.owner = owner
    self.id = id
  }

  package static var keyColumns: [String] { Owner.keyColumns + [Owner.messageTables.queueID] }

  package var keyValues: [PostgresQuery] { owner.keyValues + ["\(id)::text"] }

  package init(key row: PostgresRow) throws {
    self.init(of: try Owner(key: row), id: try row.get(Owner.messageTables.queueID))
  }
}
