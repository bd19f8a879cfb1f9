import Cryptography
import Delivery
import Foundation
import Identity
import Postgres
import StripeAPI
import Tenancy

/// An endpoint of a vendor, without its secrets.
struct MessageEndpoint: Sendable {
  let id: MessageEndpointID
  let url: String
  let description: String?
  /// Empty: all.
  let eventTypes: [String]
  let includesKey: Bool
  let isActive: Bool
  let previousSecretUntil: Date?
  let failingSince: Date?
  let disabledAt: Date?
  let disabledReason: String?
  let createdAt: Date
  let updatedAt: Date

  /// Scheme, host and port: what is told of an address, the rest of which may be a secret.
  static func host(of url: String) -> String {
    guard let scheme = url.firstRange(of: "://") else { return "" }
    return String(url[..<scheme.upperBound]) + url[scheme.upperBound...].prefix { !"/?#".contains($0) }
  }
}

/// What a vendor chooses about an endpoint.
struct MessageEndpointChoices: Sendable {
  var url: String
  var description: String?
  var eventTypes: [String]
  var includesKey: Bool
  var isActive: Bool
}

/// The endpoints of a tenant; their secrets are encrypted and bound to the endpoint.
struct MessageEndpointStore: Sendable {
  let database: TenantDatabase
  let keyRing: KeyRing

  /// All that a delivery needs.
  struct Receiver: Sendable {
    let url: String
    let includesKey: Bool
    /// One, or two while it is being replaced; the newer one first.
    let secrets: [String]

    var host: String { MessageEndpoint.host(of: url) }
  }

  private static let columns: PostgresQuery = """
    endpoint_id, url, description, event_types, includes_key, is_active,
    CASE WHEN previous_secret_until > now() THEN previous_secret_until END AS previous_secret_until,
    failing_since, disabled_at, disabled_reason, created_at, updated_at
    """

  static func newSecret() -> String { Random.token(prefix: "nts_") }

  /// Newest first; ids grow with time.
  func page(of tenant: Tenant, before id: String?, limit: Int) async throws -> [MessageEndpoint] {
    try await database.transaction(for: tenant) { transaction in
      try await transaction.query(
        """
        SELECT \(fragment: Self.columns)
          FROM stripe_integration.notice_endpoints
         WHERE account_id = \(tenant.account)
           AND livemode   = \(tenant.livemode)
           AND (\(id)::text IS NULL OR endpoint_id < \(id)::text)
         ORDER BY endpoint_id DESC
         LIMIT \(limit)
        """
      ).map(Self.endpoint)
    }
  }

  func endpoint(_ id: String, of tenant: Tenant) async throws -> MessageEndpoint? {
    try await database.transaction(for: tenant) { transaction in
      try await transaction.query(
        """
        SELECT \(fragment: Self.columns)
          FROM stripe_integration.notice_endpoints
         WHERE account_id  = \(tenant.account)
           AND livemode    = \(tenant.livemode)
           AND endpoint_id = \(id)
        """
      ).first.map(Self.endpoint)
    }
  }

  /// - Returns: nil when the tenant has as many as it may have.
  func create(
    _ choices: MessageEndpointChoices, of tenant: Tenant, audit: @Sendable (_ id: String) -> AuditLog.Entry
  ) async throws -> (endpoint: MessageEndpoint, secret: String)? {
    let (id, secret) = (Random.id(prefix: "nep_"), Self.newSecret())
    let encrypted = try secrets.encrypt(secret, of: EndpointQueue(of: tenant, id: id))
    let endpoint = try await database.transaction(for: tenant) { transaction -> MessageEndpoint? in
      // Serialised with other changes of this tenant, so that the count holds.
      try await TenantLock.take(tenant, in: transaction)
      let row = try await transaction.query(
        """
        INSERT INTO stripe_integration.notice_endpoints
               (account_id, livemode, endpoint_id, url, description, event_types, includes_key, is_active, secret)
        SELECT \(tenant.account)::text, \(tenant.livemode)::boolean, \(id)::text, \(choices.url)::text,
               \(choices.description)::text, \(choices.eventTypes)::text[], \(choices.includesKey)::boolean,
               \(choices.isActive)::boolean, \(encrypted)::bytea
         WHERE (SELECT count(*)
                  FROM stripe_integration.notice_endpoints
                 WHERE account_id = \(tenant.account)
                   AND livemode   = \(tenant.livemode)) < \(MessageOutbox.mostEndpoints)
        RETURNING \(fragment: Self.columns)
        """
      ).first
      guard let row else { return nil }
      try await EndpointQueues.ofVendors.add(
        EndpointQueue(of: tenant, id: id), isActive: choices.isActive, in: transaction)
      try await AuditLog(tenant: tenant, transaction: transaction).add(audit(id))
      return try Self.endpoint(row)
    }
    return endpoint.map { ($0, secret) }
  }

  /// Replaces the choices. An endpoint that is active after it is taken up again, even if it had been disabled for failing,
  /// and what waits for it has its full time again.
  func update(
    _ id: String, _ choices: MessageEndpointChoices, of tenant: Tenant, resumes: Bool, audit: AuditLog.Entry
  ) async throws -> MessageEndpoint? {
    let queue = EndpointQueue(of: tenant, id: id)
    return try await database.transaction(for: tenant) { transaction in
      try await EndpointQueues.ofVendors.lock(queue, in: transaction)
      let row = try await transaction.query(
        """
        UPDATE stripe_integration.notice_endpoints
           SET url             = \(choices.url),
               description     = \(choices.description),
               event_types     = \(choices.eventTypes)::text[],
               includes_key    = \(choices.includesKey),
               is_active       = \(choices.isActive),
               failing_since   = CASE WHEN \(resumes) THEN NULL ELSE failing_since END,
               disabled_at     = CASE WHEN \(resumes) THEN NULL ELSE disabled_at END,
               disabled_reason = CASE WHEN \(resumes) THEN NULL ELSE disabled_reason END,
               updated_at      = now()
         WHERE account_id  = \(tenant.account)
           AND livemode    = \(tenant.livemode)
           AND endpoint_id = \(id)
        RETURNING \(fragment: Self.columns)
        """
      ).first
      guard let row else { return nil }
      let endpoint = try Self.endpoint(row)
      if !endpoint.isActive {
        try await EndpointQueues.ofVendors.hold(queue, in: transaction)
      } else if resumes {
        try await EndpointQueues.ofVendors.resume(queue, in: transaction)
        try await EndpointQueues.ofVendors.renew(queue, in: transaction)
      }
      try await AuditLog(tenant: tenant, transaction: transaction).add(audit)
      return endpoint
    }
  }

  /// Removes an endpoint; what was not delivered is given up. The log of its deliveries stays.
  func delete(_ id: String, of tenant: Tenant, audit: AuditLog.Entry) async throws -> Bool {
    let queue = EndpointQueue(of: tenant, id: id)
    return try await database.transaction(for: tenant) { transaction in
      try await EndpointQueues.ofVendors.lock(queue, in: transaction)
      let removed = try await transaction.query(
        """
        DELETE FROM stripe_integration.notice_endpoints
         WHERE account_id  = \(tenant.account)
           AND livemode    = \(tenant.livemode)
           AND endpoint_id = \(id)
        """)
      guard removed.affectedRows > 0 else { return false }
      try await transaction.query(
        """
        DELETE FROM stripe_integration.delivery_lanes
         WHERE account_id = \(tenant.account)
           AND livemode   = \(tenant.livemode)
           AND lane_id    = \(id)
        """)
      try await EndpointQueues.ofVendors.cancel(queue, because: "The endpoint was removed.", in: transaction)
      try await AuditLog(tenant: tenant, transaction: transaction).add(audit)
      return true
    }
  }

  /// Replaces the secret. The former one signs as well for a while, so that a receiver can change over at leisure; one that
  /// was still being replaced itself is void at once.
  /// - Returns: the new secret, which nobody can read again.
  func rotate(
    _ id: String, of tenant: Tenant, overlapHours: Int, audit: AuditLog.Entry
  ) async throws -> (endpoint: MessageEndpoint, secret: String)? {
    let secret = Self.newSecret()
    let encrypted = try secrets.encrypt(secret, of: EndpointQueue(of: tenant, id: id))
    let endpoint = try await database.transaction(for: tenant) { transaction -> MessageEndpoint? in
      let row = try await transaction.query(
        """
        UPDATE stripe_integration.notice_endpoints
           SET updated_at = now(),
               \(fragment: secrets.replacement(by: encrypted, overlap: overlapHours))
         WHERE account_id  = \(tenant.account)
           AND livemode    = \(tenant.livemode)
           AND endpoint_id = \(id)
        RETURNING \(fragment: Self.columns)
        """
      ).first
      guard let row else { return nil }
      try await AuditLog(tenant: tenant, transaction: transaction).add(audit)
      return try Self.endpoint(row)
    }
    return endpoint.map { ($0, secret) }
  }

  /// - Returns: nil when the endpoint is not there any more.
  func receiver(_ id: String, of tenant: Tenant, in transaction: PostgresTransaction) async throws -> Receiver? {
    let row = try await transaction.query(
      """
      SELECT url, includes_key, \(fragment: secrets.selection)
        FROM stripe_integration.notice_endpoints
       WHERE account_id  = \(tenant.account)
         AND livemode    = \(tenant.livemode)
         AND endpoint_id = \(id)
      """
    ).first
    guard let row else { return nil }
    return Receiver(
      url: try row.get("url"), includesKey: try row.get("includes_key"),
      secrets: try secrets.signing(row, of: EndpointQueue(of: tenant, id: id)))
  }

  /// Encrypts those secrets again that were encrypted under another key than the ring's first. It is safe beside live work,
  /// and can be repeated.
  /// - Returns: how many endpoints had such a secret.
  func reencrypt(_ tenant: Tenant) async throws -> Int {
    try await database.transaction(for: tenant) { transaction in
      try await secrets.reencrypt(tenant, in: transaction)
    }
  }

  private var secrets: EndpointSecrets<Tenant> {
    EndpointSecrets(
      keyRing: keyRing,
      columns: .init(
        table: "stripe_integration.notice_endpoints", endpointID: "endpoint_id", secret: "secret",
        former: "previous_secret", formerUntil: "previous_secret_until")
    ) { endpoint in
      let tenant = endpoint.owner
      return ["notice_secret", tenant.account.rawValue, tenant.livemode ? "live" : "test", endpoint.id]
    }
  }

  private static func endpoint(_ row: PostgresRow) throws -> MessageEndpoint {
    MessageEndpoint(
      id: try row.get("endpoint_id"), url: try row.get("url"), description: try row.get("description"),
      eventTypes: try row.get("event_types"), includesKey: try row.get("includes_key"),
      isActive: try row.get("is_active"), previousSecretUntil: try row.get("previous_secret_until"),
      failingSince: try row.get("failing_since"), disabledAt: try row.get("disabled_at"),
      disabledReason: try row.get("disabled_reason"), createdAt: try row.get("created_at"),
      updatedAt: try row.get("updated_at"))
  }
}
