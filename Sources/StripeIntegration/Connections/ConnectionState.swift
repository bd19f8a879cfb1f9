import Identity
import Postgres
import StripeAPI

/// The state of a tenant's connection, by which signed events and requests are judged. Test mode and sandboxes share the
/// tenants with `livemode` false. Each account belongs to one of the two, and what is signed for the other has no effect on
/// it.
struct ConnectionState: Hashable, Sendable {
  /// Nil if the account is not known.
  let status: ConnectionStatus?
  /// The environment in which the account is installed, or was last.
  let environment: StripeEnvironment

  var isConnected: Bool { status == .connected }

  /// - Parameter signedFor: the only environment that a signature vouches for; nil if it vouches for all of the mode.
  func fits(_ signedFor: StripeEnvironment?) -> Bool { signedFor == nil || signedFor == environment }

  /// Why something signed has no effect; nil if it may have one. Before an account is connected its environment is not known,
  /// so only changes that would undo something are refused.
  func refusal(of signedFor: StripeEnvironment?, undoing: Bool = false) -> String? {
    guard let signedFor, signedFor != environment, isConnected || (undoing && status != nil) else { return nil }
    return "It is signed for \(signedFor.noun) alone, and the account is installed in \(environment.noun)."
  }

  /// - Parameter transaction: a transaction of the tenant.
  static func read(of tenant: Tenant, in transaction: PostgresTransaction) async throws -> ConnectionState {
    let row = try await transaction.query(
      """
      SELECT status, environment
        FROM stripe_integration.connections
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
      """
    ).first
    return ConnectionState(
      status: try row.map { ConnectionStore.status(try $0.get("status")) },
      environment: StripeEnvironment(column: try row?.get("environment"), livemode: tenant.livemode))
  }
}

extension StripeEnvironment {
  /// Reads a column. It is NULL in rows from before sandboxes were distinguished; then the mode decides.
  init(column: String?, livemode: Bool) {
    self = column.flatMap(StripeEnvironment.init(rawValue:)) ?? StripeEnvironment(livemode: livemode)
  }

  /// The environment of an announced installation: the one its signature names, else the only configured environment of the
  /// mode, else test mode.
  static func announced(livemode: Bool, signedFor: StripeEnvironment?, configured: [StripeEnvironment])
    -> StripeEnvironment
  {
    let possible = configured.filter { $0.livemode == livemode }
    return signedFor ?? (possible.count == 1 ? possible.first : nil) ?? StripeEnvironment(livemode: livemode)
  }
}
