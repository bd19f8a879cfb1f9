import Cryptography
import Foundation
import HTTPTypes
import Hummingbird
import Identity
import ServerKit
import StripeAPI
import Tenancy

/// Finds out who a bearer token belongs to.
struct AdminAuthenticator: Sendable {
  private let operatorHash: [UInt8]
  private let tokens: AdminTokenStore

  init(operatorToken: String, tokens: AdminTokenStore) {
    operatorHash = SHA256.hash(Array(operatorToken.utf8))
    self.tokens = tokens
  }

  /// - Throws: 401 unless the token is known and has not expired.
  func caller(of request: Request) async throws -> AdminCaller {
    guard let token = Self.bearer(request) else { throw APIFailure.unauthorized("a bearer token is required") }
    // Hashes are compared, so that the time needed reveals nothing about the token, not even its length.
    if constantTimeEqual(SHA256.hash(Array(token.utf8)), operatorHash) { return .serviceOperator }
    if let tenant = AdminToken.tenant(of: token), let name = try await tokens.name(of: token, for: tenant) {
      return .vendor(tenant, tokenName: name)
    }
    throw APIFailure.unauthorized("the token is not known or no longer valid")
  }

  private static func bearer(_ request: Request) -> String? {
    guard let header = request.headers[.authorization], header.utf8.count <= 1_024 else { return nil }
    let parts = header.split(separator: " ", maxSplits: 1)
    guard parts.count == 2, parts[0].lowercased() == "bearer", !parts[1].isEmpty else { return nil }
    return String(parts[1])
  }
}
