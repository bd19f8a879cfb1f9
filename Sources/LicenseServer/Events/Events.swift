import Foundation
import LicenseKitAPI
import Postgres
import ServerKit

/// Reading the audit trail.
struct Events: Sendable {
  let store: TenantStore

  /// One page, newest first.
  func list(_ filter: EventFilter, for caller: Caller) async throws -> EventPage {
    let limit = try Limit.checked(filter.limit)
    if let cursor = filter.cursor, cursor < 1 { throw APIFailure.invalidQuery(field: "cursor", "must be at least 1") }
    var query: PostgresQuery = """
      SELECT sequence, event_type, actor_type, actor_id, resource_type, resource_id, metadata::text AS metadata, ip_address,
             created_at
        FROM license_server.events
       WHERE tenant_id = \(caller.tenant)
      """
    if let cursor = filter.cursor { query.append(" AND sequence < \(cursor)") }
    if let type = filter.eventType { query.append(" AND event_type = \(type)") }
    if let type = filter.resourceType { query.append(" AND resource_type = \(type)") }
    if let id = filter.resourceID { query.append(" AND resource_id = \(id)") }
    if let actor = filter.actorType { query.append(" AND actor_type = \(actor.rawValue)") }
    query.append(" ORDER BY sequence DESC LIMIT \(limit + 1)")
    let complete = query
    let found = try await store.transaction(caller.tenant, readOnly: true) { transaction in
      try await transaction.query(complete).all(Event.init(row:))
    }
    let page = Array(found.prefix(limit))
    return EventPage(events: page, nextCursor: found.count > limit ? page.last?.sequence : nil)
  }
}

extension Event {
  init(row: PostgresRow) throws {
    self.init(
      sequence: try row.get("sequence"), eventType: try row.get("event_type"), actorType: try row.value("actor_type"),
      actorID: try row.get("actor_id"), resourceType: try row.get("resource_type"),
      resourceID: try row.get("resource_id"), metadata: try row.metadata(), ipAddress: try row.get("ip_address"),
      createdAt: try row.get("created_at"))
  }
}
