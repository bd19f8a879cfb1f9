import Foundation
import Hummingbird
import Identity
import JSON
import ServerKit
import StripeAPI
import Tenancy

extension AdminRoutes {
  func listTokens(_ call: AdminCall) async throws -> Response {
    let request = try PageRequest(call.query)
    let page = try await tokens.page(of: call.tenant, after: try request.text(), limit: request.limit + 1)
      .page(request.limit) { PageCursor.encode($0.id) }
    return try Answer.page(page.items, nextCursor: page.next, context: call.context)
  }

  /// Makes a token for a vendor. Only the operator may make one, and only the answer shows it.
  func createToken(_ call: AdminCall) async throws -> Response {
    guard call.caller == .serviceOperator else { throw APIFailure.forbidden("only the operator creates tokens") }
    let body = try call.decodeBody(TokenBody.self)
    guard (1...100).contains(body.name.count), !body.name.utf8.contains(0) else {
      throw APIFailure.validation(field: "name", "must have 1 to 100 characters")
    }
    if let expiresAt = body.expiresAt, expiresAt <= clock() {
      throw APIFailure.validation(field: "expires_at", "must be in the future")
    }
    let made = try await tokens.create(
      name: body.name, expiresAt: body.expiresAt, for: call.tenant, audit: call.entry("token.create", body.name))
    return try Answer.data(
      NewToken(
        id: made.summary.id, token: made.token, accountID: call.tenant.account, livemode: call.tenant.livemode,
        name: made.summary.name, createdAt: made.summary.createdAt, expiresAt: made.summary.expiresAt),
      status: .created, context: call.context)
  }

  /// Ends a token; a vendor may end its own.
  func deleteToken(_ call: AdminCall) async throws -> Response {
    let id = try call.id("id")
    guard try await tokens.delete(id, of: call.tenant, audit: call.entry("token.delete", id)) else {
      throw APIFailure.notFound()
    }
    return Answer.empty()
  }

  private struct TokenBody: Decodable {
    var name: String
    var expiresAt: Date?
  }

  private struct NewToken: Encodable {
    let id: String
    let token: String
    let accountID: Stripe.AccountID
    let livemode: Bool
    let name: String
    let createdAt: Date
    @OrNull var expiresAt: Date?
  }
}
