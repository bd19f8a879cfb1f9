import Cryptography
import Delivery
import Foundation
import HTTPTransport
import Identity
import JSON
import LicenseKitAPI
import Postgres
import ServerKit

/// Endpoints of outgoing webhooks.
struct WebhookEndpoints: Sendable {
  let store: TenantStore
  let clock: ServerClock
  let keyRing: KeyRing
  /// Where vendors may have events sent to.
  let destinations: AddressPolicy

  private var secrets: EndpointSecrets<TenantID> { WebhookSecret.secrets(keyRing) }

  /// A tenant has at most so many.
  static let most = 50

  func list(
    _ range: ListRange<WebhookEndpointTag>, for caller: Caller
  ) async throws -> ListPage<WebhookEndpoint> {
    try await store.transaction(caller.tenant, readOnly: true) { transaction in
      let read = try await transaction.query(
        """
        SELECT \(fragment: Self.columns)
          FROM license_server.webhook_endpoints w
          JOIN license_server.webhook_lanes     l ON l.tenant_id = w.tenant_id AND l.endpoint_id = w.id
         WHERE w.tenant_id = \(caller.tenant) AND w.id < \(range.below)
         ORDER BY w.id DESC
         LIMIT \(fragment: range.rowsRead)
        """
      ).all(WebhookEndpoint.init(row:))
      return ListPage(read, of: range, by: \.id)
    }
  }

  /// - Returns: the endpoint with its secret, which nobody can read again.
  /// - Throws: 422 that names the field, 409 when the tenant has as many as it may have.
  func create(
    _ body: WebhookEndpointCreateRequest, for caller: Caller
  ) async throws -> WebhookEndpointWithSecret {
    try Checks.required(body.name, "name")
    try WebhookFields.check(url: body.url, destinations: destinations)
    try WebhookFields.check(secret: body.secret)
    let types = try WebhookFields.checked(eventTypes: body.eventTypes) ?? []
    let now = clock.now()
    let id = WebhookEndpointID(Random.id(prefix: "whe_"))
    let secret = try WebhookSecret(body.secret, of: EndpointQueue(of: caller.tenant, id), secrets)
    return try await store.transaction(caller.tenant) { transaction in
      // One at a time, so that the count holds.
      try await transaction.query(
        "SELECT pg_advisory_xact_lock(hashtextextended(\("webhook_endpoints/" + caller.tenant.rawValue), 0))")
      let made = try await transaction.query(
        """
        INSERT INTO license_server.webhook_endpoints
               (tenant_id, id, name, url, event_types, is_active, secret_prefix, sealed_secret, created_at, updated_at)
        SELECT \(caller.tenant)::text, \(id)::text, \(body.name)::text, \(body.url)::text, \(types)::text[],
               \(body.isActive ?? true)::boolean, \(secret.prefix)::text, \(secret.encrypted)::bytea, \(now)::timestamptz,
               \(now)::timestamptz
         WHERE (SELECT count(*)
                  FROM license_server.webhook_endpoints
                 WHERE tenant_id = \(caller.tenant)) < \(Self.most)
        """)
      guard made.affectedRows == 1 else {
        throw APIFailure.conflict("there are \(Self.most) endpoints, and no more are possible")
      }
      let queue = EndpointQueue(of: caller.tenant, id)
      try await EndpointQueues.ofWebhooks.add(queue, isActive: body.isActive ?? true, in: transaction)
      try await EventLog.append(.webhookCreated, id.rawValue, by: caller, at: now, in: transaction)
      return WebhookEndpointWithSecret(
        webhook: try await Self.find(id, for: caller, in: transaction), secret: secret.text)
    }
  }

  func get(_ id: WebhookEndpointID, for caller: Caller) async throws -> WebhookEndpoint {
    try await store.transaction(caller.tenant, readOnly: true) { transaction in
      try await Self.find(id, for: caller, in: transaction)
    }
  }

  /// What an update answers with: the secret only when the server made a new one.
  enum Updated: Sendable {
    case plain(WebhookEndpoint)
    case rotated(WebhookEndpointWithSecret)
  }

  /// Changes an endpoint. The former secret signs beside a new one for a day. An endpoint that becomes active again, or gets
  /// another URL, is taken up at once, and what waits for it has its full time again.
  func update(
    _ id: WebhookEndpointID, _ body: WebhookEndpointUpdateRequest, for caller: Caller
  ) async throws -> Updated {
    try Checks.required(body.name, "name")
    try WebhookFields.check(url: body.url, destinations: destinations)
    try WebhookFields.check(secret: body.secret)
    let types = try WebhookFields.checked(eventTypes: body.eventTypes)
    let rotates = body.rotateSecret == true
    if rotates, body.secret != nil {
      throw APIFailure.validation(field: "rotate_secret", "must not be true together with secret")
    }
    let now = clock.now()
    let secret =
      rotates || body.secret != nil
      ? try WebhookSecret(body.secret, of: EndpointQueue(of: caller.tenant, id), secrets) : nil
    return try await store.transaction(caller.tenant) { transaction in
      let before = try await transaction.query(
        """
        SELECT url, is_active
          FROM license_server.webhook_endpoints
         WHERE tenant_id = \(caller.tenant) AND id = \(id)
           FOR UPDATE
        """
      ).first
      guard let before else { throw APIFailure.notFound("webhook") }
      var replacement: PostgresQuery = ""
      if let secret {
        replacement = ", \(fragment: secrets.replacement(by: secret.encrypted, overlap: WebhookSecret.overlapHours))"
      }
      try await transaction.query(
        """
        UPDATE license_server.webhook_endpoints
           SET name          = coalesce(\(body.name), name),
               url           = coalesce(\(body.url), url),
               event_types   = coalesce(\(types)::text[], event_types),
               is_active     = coalesce(\(body.isActive), is_active),
               secret_prefix = coalesce(\(secret?.prefix), secret_prefix),
               updated_at    = \(now)\(fragment: replacement)
         WHERE tenant_id = \(caller.tenant) AND id = \(id)
        """)
      let endpoint = try await Self.find(id, for: caller, in: transaction)
      let queue = EndpointQueue(of: caller.tenant, id)
      if !endpoint.isActive {
        try await EndpointQueues.ofWebhooks.hold(queue, in: transaction)
      } else if try body.isActive == true || !before.get("is_active", as: Bool.self)
        || endpoint.url != before.get("url", as: String.self)
      {
        try await EndpointQueues.ofWebhooks.resume(queue, in: transaction)
        try await EndpointQueues.ofWebhooks.renew(queue, in: transaction)
      }
      try await EventLog.append(
        .webhookUpdated, id.rawValue, by: caller, at: now,
        metadata: secret == nil ? [:] : ["secret_replaced": true], in: transaction)
      guard rotates, let secret else { return .plain(endpoint) }
      return .rotated(WebhookEndpointWithSecret(webhook: endpoint, secret: secret.text))
    }
  }

  /// Removes an endpoint; what was not delivered is given up.
  func delete(_ id: WebhookEndpointID, for caller: Caller) async throws {
    try await store.transaction(caller.tenant) { transaction in
      let rows = try await transaction.query(
        "DELETE FROM license_server.webhook_endpoints WHERE tenant_id = \(caller.tenant) AND id = \(id)")
      guard rows.affectedRows == 1 else { throw APIFailure.notFound("webhook") }
      try await EndpointQueues.ofWebhooks.cancel(
        EndpointQueue(of: caller.tenant, id), because: "The endpoint was removed.", in: transaction)
      try await EventLog.append(.webhookDeleted, id.rawValue, by: caller, at: clock.now(), in: transaction)
    }
  }

  /// The endpoint, or 404.
  @discardableResult
  static func find(
    _ id: WebhookEndpointID, for caller: Caller, in transaction: PostgresTransaction
  ) async throws -> WebhookEndpoint {
    let rows = try await transaction.query(
      """
      SELECT \(fragment: columns)
        FROM license_server.webhook_endpoints w
        JOIN license_server.webhook_lanes     l ON l.tenant_id = w.tenant_id AND l.endpoint_id = w.id
       WHERE w.tenant_id = \(caller.tenant) AND w.id = \(id)
      """)
    guard let row = rows.first else { throw APIFailure.notFound("webhook") }
    return try WebhookEndpoint(row: row)
  }

  private static let columns: PostgresQuery = """
    w.id, w.name, w.url, w.secret_prefix, w.event_types, w.is_active, l.last_success_at AS last_delivery_at, w.created_at,
    w.updated_at
    """
}

extension WebhookEndpoint {
  init(row: PostgresRow) throws {
    self.init(
      id: try row.get("id"), name: try row.get("name"), url: try row.get("url"),
      secretPrefix: try row.get("secret_prefix"), eventTypes: try row.get("event_types"),
      isActive: try row.get("is_active"), lastDeliveryAt: try row.get("last_delivery_at"),
      createdAt: try row.get("created_at"), updatedAt: try row.get("updated_at"))
  }
}
