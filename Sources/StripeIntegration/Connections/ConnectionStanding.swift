import Identity
import Postgres
import StripeAPI

/// The state of a tenant's connection, by which signed events and requests are judged. Test mode and sandboxes share the
/// tenants with `livemode` false; each account belongs to one of the two, and what is signed for the other has no effect on it.
struct ConnectionStanding: Hashable, Sendable {
  /// Nil for an account that is not known.
  let status: ConnectionStatus?
  /// What the account is installed in, or was last.
  let environment: StripeEnvironment

  var isConnected: Bool { status == .connected }

  /// - Parameter signedFor: the only environment that a signature vouches for; nil when it vouches for every one of the mode.
  func fits(_ signedFor: StripeEnvironment?) -> Bool { signedFor == nil || signedFor == environment }

  /// Why something that was signed has no effect; nil when it may have one. Before an account is connected it is not known
  /// what it will be, so that only what would undo something is refused.
  func refusal(of signedFor: StripeEnvironment?, undoing: Bool = false) -> String? {
    guard let signedFor, signedFor != environment, isConnected || (undoing && status != nil) else { return nil }
    return "It is signed for \(signedFor.noun) alone, and the account is installed in \(environment.noun)."
  }

  /// - Parameter transaction: one of the tenant.
  static func read(of tenant: Tenant, in transaction: PostgresTransaction) async throws -> ConnectionStanding {
    let row = try await transaction.query(
      """
      SELECT status, environment
        FROM stripe_integration.connections
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
      """
    ).first
    return ConnectionStanding(
      status: try row.map { ConnectionStore.status(try $0.get("status")) },
      environment: StripeEnvironment(column: try row?.get("environment"), livemode: tenant.livemode))
  }
}

extension StripeEnvironment {
  /// Reads a column. It is NULL in rows that are older than the distinction of sandboxes: then the mode decides.
  init(column: String?, livemode: Bool) {
    self = column.flatMap(StripeEnvironment.init(rawValue:)) ?? StripeEnvironment(livemode: livemode)
  }

  /// Where an installation is that Stripe announces: where its signature says, else in the only environment of the mode that
  /// is configured, else in test mode.
  static func announced(livemode: Bool, signedFor: StripeEnvironment?, configured: [StripeEnvironment])
    -> StripeEnvironment
  {
    let possible = configured.filter { $0.livemode == livemode }
    return signedFor ?? (possible.count == 1 ? possible.first : nil) ?? StripeEnvironment(livemode: livemode)
  }
}
