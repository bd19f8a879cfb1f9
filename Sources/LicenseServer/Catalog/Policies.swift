import Cryptography
import Foundation
import Identity
import JSON
import LicenseKitAPI
import Postgres
import ServerKit

/// Policies of a product. The contract can write only some of their fields; the operator sets the others (``PolicyLimits``).
struct Policies: Sendable {
  let store: TenantStore
  let clock: ServerClock

  /// An unknown product has none.
  func list(_ product: ProductID, _ range: ListRange<PolicyTag>, for caller: Caller) async throws -> ListPage<Policy> {
    try await store.transaction(caller.tenant, readOnly: true) { transaction in
      let read = try await transaction.query(
        """
        SELECT \(fragment: Self.columns)
          FROM license_server.policies
         WHERE tenant_id = \(caller.tenant) AND product_id = \(product) AND id < \(range.below)
         ORDER BY id DESC
         LIMIT \(fragment: range.rowsRead)
        """
      ).all(Policy.init(row:))
      return ListPage(read, of: range, by: \.id)
    }
  }

  func create(_ product: ProductID, _ body: PolicyCreateRequest, for caller: Caller) async throws -> Policy {
    try Checks.required(body.name, "name")
    try Checks.code(body.code)
    try Self.checkLimits(body.maxFloatingUsers, body.floatingTimeoutMinutes)
    try Checks.metadata(body.metadata)
    let now = clock.now()
    return try await store.transaction(caller.tenant) { transaction in
      try await Products.find(product, for: caller, in: transaction)
      let rows = try await conflicting(on: "policies_code", "code: another policy of the product has it") {
        try await transaction.query(
          """
          INSERT INTO license_server.policies
                 (tenant_id, id, product_id, name, code, license_type,
                  max_floating_users, floating_timeout_minutes, require_heartbeat,
                  metadata, created_at, updated_at)
          VALUES (\(caller.tenant), \(Random.id(prefix: "pol_")), \(product), \(body.name), \(body.code), \(body.licenseType.rawValue),
                  \(body.maxFloatingUsers), \(body.floatingTimeoutMinutes ?? 60), \(body.requireHeartbeat ?? false),
                  \((body.metadata ?? [:]).stored)::json, \(now), \(now))
          RETURNING \(fragment: Self.columns)
          """)
      }
      guard let row = rows.first else { throw APIFailure.internalError }
      let policy = try Policy(row: row)
      try await EventLog.append(
        .policyCreated, policy.id.rawValue, by: caller, at: now, metadata: ["product_id": .string(product.rawValue)],
        in: transaction)
      return policy
    }
  }

  func get(_ id: PolicyID, for caller: Caller) async throws -> Policy {
    try await store.transaction(caller.tenant, readOnly: true) { transaction in
      try await Self.find(id, for: caller, in: transaction)
    }
  }

  /// A new license type changes what the runtime answers for every license of the policy, so their entitlement version
  /// rises with the policy's revision.
  func update(_ id: PolicyID, _ body: PolicyUpdateRequest, for caller: Caller) async throws -> Policy {
    try Checks.required(body.name, "name")
    try Checks.code(body.code)
    try Self.checkLimits(body.maxFloatingUsers, body.floatingTimeoutMinutes)
    try Checks.metadata(body.metadata)
    let now = clock.now()
    return try await store.transaction(caller.tenant) { transaction in
      let rows = try await conflicting(on: "policies_code", "code: another policy of the product has it") {
        try await transaction.query(
          """
          UPDATE license_server.policies
             SET name                     = coalesce(\(body.name), name),
                 code                     = coalesce(\(body.code), code),
                 revision                 = revision + (coalesce(\(body.licenseType?.rawValue), license_type) <> license_type)::integer,
                 license_type             = coalesce(\(body.licenseType?.rawValue), license_type),
                 max_floating_users       = coalesce(\(body.maxFloatingUsers), max_floating_users),
                 floating_timeout_minutes = coalesce(\(body.floatingTimeoutMinutes), floating_timeout_minutes),
                 require_heartbeat        = coalesce(\(body.requireHeartbeat), require_heartbeat),
                 metadata                 = coalesce(\(body.metadata?.stored)::json, metadata),
                 updated_at               = \(now)
           WHERE tenant_id = \(caller.tenant) AND id = \(id)
          RETURNING \(fragment: Self.columns)
          """)
      }
      guard let row = rows.first else { throw APIFailure.notFound("policy") }
      try await EventLog.append(.policyUpdated, id.rawValue, by: caller, at: now, in: transaction)
      return try Policy(row: row)
    }
  }

  func delete(_ id: PolicyID, for caller: Caller) async throws {
    try await store.transaction(caller.tenant) { transaction in
      let rows = try await transaction.query(
        "DELETE FROM license_server.policies WHERE tenant_id = \(caller.tenant) AND id = \(id)")
      guard rows.affectedRows == 1 else { throw APIFailure.notFound("policy") }
      try await EventLog.append(.policyDeleted, id.rawValue, by: caller, at: clock.now(), in: transaction)
    }
  }

  /// The policy, or 404.
  static func find(_ id: PolicyID, for caller: Caller, in transaction: PostgresTransaction) async throws -> Policy {
    let rows = try await transaction.query(
      """
      SELECT \(fragment: columns)
        FROM license_server.policies
       WHERE tenant_id = \(caller.tenant) AND id = \(id)
      """)
    guard let row = rows.first else { throw APIFailure.notFound("policy") }
    return try Policy(row: row)
  }

  private static func checkLimits(_ floatingUsers: Int?, _ timeout: Int?) throws(APIFailure) {
    try Checks.range(floatingUsers, "max_floating_users", 0...1_000_000)
    try Checks.range(timeout, "floating_timeout_minutes", 1...525_600)
  }

  static let columns: PostgresQuery = """
    id, product_id, name, code, license_type, max_activations, max_floating_users, max_container_instances,
    floating_timeout_minutes, grace_period_days, validation_interval_minutes, require_heartbeat,
    allow_offline_activation, offline_grace_days, allow_vm, allow_container, max_transfers,
    metadata::text AS metadata, created_at, updated_at
    """
}

extension Policy {
  init(row: PostgresRow) throws {
    self.init(
      id: try row.get("id"), productID: try row.get("product_id"), name: try row.get("name"), code: try row.get("code"),
      licenseType: try row.value("license_type"), maxActivations: try row.get("max_activations"),
      maxFloatingUsers: try row.get("max_floating_users"),
      maxContainerInstances: try row.get("max_container_instances"),
      floatingTimeoutMinutes: try row.get("floating_timeout_minutes"),
      gracePeriodDays: try row.get("grace_period_days"),
      validationIntervalMinutes: try row.get("validation_interval_minutes"),
      requireHeartbeat: try row.get("require_heartbeat"),
      allowOfflineActivation: try row.get("allow_offline_activation"),
      offlineGraceDays: try row.get("offline_grace_days"), allowVM: try row.get("allow_vm"),
      allowContainer: try row.get("allow_container"), maxTransfers: try row.get("max_transfers"),
      metadata: try row.metadata(), createdAt: try row.get("created_at"), updatedAt: try row.get("updated_at"))
  }
}
