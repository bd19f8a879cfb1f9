import Foundation
import Hummingbird
import Identity
import Metrics
import Postgres
import ServerKit
import StripeAPI
import StripeHTTP
import Tenancy

/// The checks that every request of the Dashboard app passes: Stripe's signature, the rate limit, and a connected account.
struct AppGate: Sendable {
  let database: TenantDatabase
  let secrets: ModeSecrets<AppPurpose>
  let rights: AppRights
  let rateLimit: CallerLimit
  let clock: @Sendable () -> Date

  static let notConnected = APIFailure.forbidden(
    "this account has not installed the app in this mode", code: "ACCOUNT_NOT_CONNECTED")

  /// Reads a question and checks that it may be answered.
  func question(_ request: Request) async throws -> AppQuestion {
    let question = try await counting { try await AppQuestion(request, secrets: secrets, now: clock()) }
    try await rateLimit.take(question.tenant.description)
    return question
  }

  /// Reads within a transaction of the question's tenant.
  /// - Parameter signedFor: the only environment that the question's signature vouches for; nil if it vouches for all of its
  ///   mode.
  /// - Throws: 403 `ACCOUNT_NOT_CONNECTED`, also if the account is connected in another environment.
  func reading<T: Sendable>(
    _ tenant: Tenant, signedFor: StripeEnvironment?, _ body: (PostgresTransaction) async throws -> T
  ) async throws -> T {
    try await database.transaction(for: tenant) { transaction in
      let connection = try await ConnectionState.read(of: tenant, in: transaction)
      guard connection.isConnected, connection.fits(signedFor) else { throw Self.notConnected }
      return try await body(transaction)
    }
  }

  /// Counts requests that are refused before their sender is known: the audit log could name nobody for them.
  func counting<T: Sendable>(_ body: () async throws -> T) async throws -> T {
    do {
      return try await body()
    } catch let failure as APIFailure where failure.code == "SIGNATURE_INVALID" {
      Counter(label: "stripe_app_refusals_total", dimensions: [("reason", "signature")]).increment()
      throw failure
    }
  }
}
