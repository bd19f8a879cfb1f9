package import Foundation
import Identity
package import Postgres
package import Purchases
package import StripeAPI

/// Why nothing moves for a whole tenant, in words that say who must do what.
package struct Blockage: Hashable, Sendable {
  /// A stable word: `parked_reason` of the connection, `not_connected`, or `outage`.
  package let code: String
  package let why: String
  package let whatToDo: String
  package let since: Date?

  /// For the reason of a purchase that waits because of it.
  package var sentence: String { "Waiting: \(why) What to do: \(whatToDo)" }

  package init(_ unavailable: TenantUnavailable) {
    self.init(unavailable.reason, detail: unavailable.detail, since: nil)
  }

  package init(_ reason: TenantUnavailable.Reason, detail: String?, since: Date?) {
    code = reason.rawValue
    let more = detail.map { " (\($0))" } ?? ""
    why = "\(reason.why)\(more)."
    whatToDo = reason.whatToDo
    self.since = since
  }

  private init(code: String, why: String, whatToDo: String, since: Date?) {
    (self.code, self.why, self.whatToDo, self.since) = (code, why, whatToDo, since)
  }

  /// What holds up a tenant now, if anything does.
  package static func of(_ tenant: Tenant, in transaction: PostgresTransaction) async throws -> Blockage? {
    guard
      let row = try await transaction.query(
        """
        SELECT c.status, c.parked_reason, c.parked_detail, c.parked_at, c.uninstalled_at,
               t.paused_since, t.pause_reason, t.paused_until > now() AS is_paused
          FROM stripe_integration.connections c
          LEFT JOIN stripe_integration.turns t
            ON t.account_id = c.account_id
           AND t.livemode   = c.livemode
         WHERE c.account_id = \(tenant.account)
           AND c.livemode   = \(tenant.livemode)
        """
      ).first
    else { return Blockage(.notConnected, detail: nil, since: nil) }
    if let blocked = try row.get("parked_reason", as: String?.self) {
      let (detail, since) = (try row.get("parked_detail", as: String?.self), try row.get("parked_at", as: Date?.self))
      guard let reason = TenantUnavailable.Reason(rawValue: blocked) else {
        return Blockage(
          code: blocked, why: "The queue was stopped: \(detail ?? blocked).", whatToDo: "Mend the cause, then unpark.",
          since: since)
      }
      return Blockage(reason, detail: detail, since: since)
    }
    if try row.get("status", as: String.self) != "connected" {
      return Blockage(.notConnected, detail: nil, since: try row.get("uninstalled_at"))
    }
    if let since = try row.get("paused_since", as: Date?.self), try row.get("is_paused", as: Bool?.self) == true {
      let reason = try row.get("pause_reason", as: String?.self) ?? "The other side does not answer."
      return Blockage(
        code: "outage", why: reason.hasSuffix(".") ? reason : "\(reason).",
        whatToDo: "Nothing here; it is asked again every few minutes.", since: since)
    }
    return nil
  }
}

extension TenantUnavailable.Reason {
  /// What is the matter, without a full stop.
  package var why: String {
    switch self {
    case .notConnected: "The Stripe account is not connected"
    case .stripeCredential: "Stripe refuses the tokens of the connection"
    case .stripePermission: "The app lacks a permission at Stripe"
    case .stripeAccountGone: "The Stripe account gives this app no access any more"
    case .licensekitCredential: "LicenseKit refuses the token"
    case .licensekitMissing: "The connection has no LicenseKit that can be called"
    }
  }

  /// Who acts, and how.
  package var whatToDo: String {
    switch self {
    case .notConnected: "the vendor installs the app."
    case .stripeCredential: "the vendor authorizes the app again, through the install link."
    case .stripePermission: "the vendor grants it in the app's settings of the Stripe Dashboard; then unpark."
    case .stripeAccountGone: "the vendor installs the app again."
    case .licensekitCredential:
      "give the connection a valid token with the scopes it needs (PUT /stripe/admin/connections/licensekit), or unpark "
        + "after the service's own was replaced."
    case .licensekitMissing:
      "give the connection an address and a token (PUT /stripe/admin/connections/licensekit)."
    }
  }
}
