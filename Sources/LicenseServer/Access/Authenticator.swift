import Cryptography
import Foundation
import LicenseKitAPI
import Networks
import Postgres
import ServerKit

/// Finds out who calls. Credentials are random 256-bit values, stored only as SHA-256. A look-up by hash needs no
/// constant-time comparison, since nobody can steer a hash toward a stored one.
struct Authenticator: Sendable {
  let store: TenantStore
  let clock: ServerClock

  /// The holder of a management token.
  ///
  /// - Parameters:
  /// - host: the requested host name; if it belongs to another tenant, no token of this tenant is accepted.
  ///   - address: where the request came from, for tokens bound to networks.
  /// - Throws: 401 for a token that is unknown, expired, switched off, or used from a network it is not meant for. The answer
  ///   does not say which.
  func management(token: String?, host: String?, address: String?) async throws -> Caller {
    guard let token, !token.isEmpty else { throw APIFailure.unauthorized("a management token is required") }
    let now = clock.now()
    let rows = try await store.lookUp(
      """
      SELECT tenant_id, id, scopes, allowed_cidrs, is_active, expires_at, last_used_at
        FROM license_server.find_api_key(\(Credential.hash(token)), \(host))
      """)
    guard let row = rows.first, try row.get("is_active", as: Bool.self) else { throw Self.refused }
    if let expiry = try row.get("expires_at", as: Date?.self), expiry <= now { throw Self.refused }
    let networks = try row.get("allowed_cidrs", as: [String].self)
    if !networks.isEmpty {
      guard let address = address.flatMap({ IPAddress($0) }),
        networks.contains(where: { NetworkBlock($0)?.contains(address) ?? false })
      else {
        throw Self.refused
      }
    }
    let caller = Caller(
      tenant: try row.get("tenant_id"), actor: .apiKey(try row.get("id")),
      scopes: Set(try row.get("scopes", as: [String].self).compactMap(ManagementScope.init(rawValue:))),
      address: address)
    try await noteUse(of: caller, before: row.get("last_used_at", as: Date?.self), now: now)
    return caller
  }

  /// The tenant and license of a license key.
  func license(key: String?, host: String?, address: String?) async throws -> (caller: Caller, license: LicenseID) {
    guard let key, !key.isEmpty else { throw APIFailure.licenseKeyRequired }
    let rows = try await store.lookUp(
      "SELECT tenant_id, id FROM license_server.find_license_key(\(Credential.hash(key)), \(host))")
    guard let row = rows.first else { throw APIFailure.licenseKeyNotValid }
    let license: LicenseID = try row.get("id")
    let caller = Caller(tenant: try row.get("tenant_id"), actor: .license(license), scopes: [], address: address)
    return (caller, license)
  }

  /// The tenant a host name belongs to, or the default tenant.
  func tenant(host: String?) async throws -> TenantID {
    guard let host else { return .defaultTenant }
    let rows = try await store.lookUp("SELECT tenant_id FROM license_server.find_tenant(\(host))")
    return try rows.first?.get("tenant_id") ?? .defaultTenant
  }

  /// Written at most about once a minute for each token, and skipped if another request is writing it.
  private func noteUse(of caller: Caller, before: Date?, now: Date) async throws {
    if let before, now.timeIntervalSince(before) < 60 { return }
    guard case .apiKey(let id) = caller.actor else { return }
    try await store.transaction(caller.tenant) { transaction in
      try await transaction.query(
        """
        UPDATE license_server.api_keys
           SET last_used_at = \(now)
         WHERE (tenant_id, id) IN (SELECT tenant_id, id
                                     FROM license_server.api_keys
                                    WHERE tenant_id = \(caller.tenant) AND id = \(id)
                                      FOR UPDATE SKIP LOCKED)
        """)
    }
  }

  private static let refused = APIFailure.unauthorized("the management token is not valid")
}

/// The raw secrets that callers hold, and what is stored of them.
enum Credential {
  /// What is stored of a token or license key.
  static func hash(_ secret: String) -> [UInt8] { SHA256.hash(Array(secret.utf8)) }

  /// The secret after a scheme, as people paste it: blanks, line ends and zero-width characters from mails and pages are
  /// removed. Secrets consist of visible ASCII characters, so nothing is lost.
  /// - Returns: nil for another scheme, or if it cannot be a secret.
  static func pasted(_ header: String, after scheme: String) -> String? {
    let scalars = header.unicodeScalars
    let given = scalars.prefix(while: isVisible)
    guard String(given).lowercased() == scheme.lowercased() else { return nil }
    let secret = scalars[given.endIndex...].filter(isVisible)
    return secret.isEmpty || secret.count > 1_024 ? nil : String(String.UnicodeScalarView(secret))
  }

  private static func isVisible(_ scalar: Unicode.Scalar) -> Bool { ("!"..."~").contains(scalar) }

  static func newToken() -> String { Random.token(prefix: "lkm_") }
  static func newLicenseKey() -> String { Random.token(prefix: "lsk_") }
  static func newLeaseToken() -> String { Random.token(prefix: "llt_") }

  /// The first characters, which are shown so that a person can recognise a secret.
  static func tokenPrefix(_ token: String) -> String { String(token.prefix(min(12, token.count / 3))) }
  static func keyPrefix(_ key: String) -> String { String(key.prefix(8)) }
  static func keyLast4(_ key: String) -> String { String(key.suffix(4)) }
}
