import Identity
package import Postgres
import Storage
package import StripeAPI

/// A tenant has one row in each queue of tenants.
extension Tenant: QueueKey {
  package static var keyColumns: [String] { ["account_id", "livemode"] }

  package var keyValues: [PostgresQuery] { ["\(account)::text", "\(livemode)::boolean"] }

  package init(key row: PostgresRow) throws {
    self.init(account: try row.get("account_id"), livemode: try row.get("livemode"))
  }
}
