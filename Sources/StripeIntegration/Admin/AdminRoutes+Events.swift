import Foundation
import Hummingbird
import Identity
import Postgres
import ServerKit
import Tenancy

extension AdminRoutes {
  func listEvents(_ call: AdminCall) async throws -> Response {
    let request = try PageRequest(call.query)
    let filter = InboxReader.Filter(
      state: try call.query.value("state"), type: try Self.plausible("type", in: call.query))
    let cursor = try request.time()
    let page = try await database.transaction(for: call.tenant) { transaction in
      try await InboxReader(tenant: call.tenant, transaction: transaction)
        .page(filter, after: cursor, limit: request.limit + 1)
    }.page(request.limit) { $0.cursor.text }
    return try Answer.page(page.items.map(\.view), nextCursor: page.next, context: call.context)
  }

  func getEvent(_ call: AdminCall) async throws -> Response {
    let id = try call.id("id")
    let row = try await database.transaction(for: call.tenant) { transaction in
      try await InboxReader(tenant: call.tenant, transaction: transaction).event(id)
    }
    guard let row else { throw APIFailure.notFound() }
    return try Answer.data(row.view, context: call.context)
  }

  /// Routes an event once more. Handling an event twice does no harm.
  func replayEvent(_ call: AdminCall) async throws -> Response {
    let id = try call.id("id")
    let row = try await database.transaction(for: call.tenant) { transaction -> InboxReader.Row? in
      let reader = InboxReader(tenant: call.tenant, transaction: transaction)
      guard let row = try await reader.reopen(id) else { return nil }
      try await AuditLog(tenant: call.tenant, transaction: transaction).add(call.entry("event.replay", id))
      return row
    }
    guard let row else { throw APIFailure.notFound() }
    wakeUp.signal()
    return try Answer.data(row.view, context: call.context)
  }
}
