import Foundation
import ServerKit
import StripeAPI

/// Decrypted access tokens of this process.
final class TokenCache: Sendable {
  private struct Entry {
    let token: String
    let environment: StripeEnvironment
    let generation: Int64
  }

  private let entries = ExpiringCache<Tenant, Entry>(capacity: 5_000)
  /// The longest time that this process still uses an ended connection.
  static let longestTrust: Duration = .seconds(60)
  private static let backoffAfterFailure: Duration = .seconds(10)

  func token(of tenant: Tenant) -> String? { entries[tenant]?.token }

  func environment(of tenant: Tenant) -> StripeEnvironment? { entries[tenant]?.environment }

  /// An older generation never replaces a newer one. After its time the token is refreshed, or the database is asked again.
  func remember(_ tokens: StoredTokens, of tenant: Tenant) {
    guard let token = tokens.access else { return }
    // The token should have been refreshed by now and could not be: not every session tries again.
    let short = min(tokens.remaining - TokenRefresher.shortestUse, Self.backoffAfterFailure)
    let life = max(min(tokens.remaining - TokenRefresher.margin, Self.longestTrust), short)
    insert(Entry(token: token, environment: tokens.environment, generation: tokens.generation), tenant, life)
  }

  /// Remembers that a tenant without tokens is connected.
  func rememberConnected(_ tenant: Tenant, in environment: StripeEnvironment, generation: Int64) {
    insert(Entry(token: "", environment: environment, generation: generation), tenant, Self.longestTrust)
  }

  private func insert(_ entry: Entry, _ tenant: Tenant, _ life: Duration) {
    entries.insert(entry, for: tenant, lasting: life, unless: { $0.generation > entry.generation })
  }

  func forget(_ tenant: Tenant) { entries.remove(tenant) }
}
