import Hummingbird
import Postgres
import ServerKit
import Tenancy

extension AdminRoutes {
  func listAudit(_ call: AdminCall) async throws -> Response {
    let request = try PageRequest(call.query)
    let before = try request.number()
    let page = try await database.transaction(for: call.tenant) { transaction in
      try await AuditLog(tenant: call.tenant, transaction: transaction).page(before: before, limit: request.limit + 1)
    }.page(request.limit) { PageCursor.encode(String($0.id)) }
    return try Answer.page(page.items, nextCursor: page.next, context: call.context)
  }
}
