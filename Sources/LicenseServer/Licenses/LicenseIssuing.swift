import Cryptography
import Foundation
import HTTPTypes
import Identity
import JSON
import LicenseKitAPI
import Postgres
import ServerKit

/// Issuing licenses.
///
/// The raw key leaves the server in the answer and is stored only as a hash. With an idempotency key (an extension: the
/// contract has none here) the whole answer is also kept, encrypted, for 24 hours. So a caller that lost the answer before it
/// could store the key gets the same license and key again.
struct LicenseIssuing: Sendable {
  let store: TenantStore
  let clock: ServerClock
  let keyRing: KeyRing

  func create(_ body: LicenseCreateRequest, idempotencyKey: String?, for caller: Caller) async throws -> StoredAnswer {
    try check(body)
    let now = clock.now()
    let call = try idempotencyKey.map {
      try IdempotentCall(
        IdempotentCall.createLicense, tenant: caller.tenant, subject: "", key: IdempotentCall.checked(key: $0),
        request: body,
        retention: IdempotentCall.day)
    }
    return try await store.transaction(caller.tenant) { transaction in
      if let call {
        try await call.lock(in: transaction)
        if let encrypted = try await call.replay(now: now, in: transaction) {
          return StoredAnswer(bytes: try keyRing.decrypt(encrypted, context: call.encryptionContext))
        }
      }
      let answer = try StoredAnswer(try await issue(body, for: caller, now: now, in: transaction))
      if let call {
        try await call.store(
          try keyRing.encrypt(answer.bytes, context: call.encryptionContext), now: now, in: transaction)
      }
      return answer
    }
  }

  private func check(_ body: LicenseCreateRequest) throws(APIFailure) {
    try Checks.length(body.customerEmail, "customer_email", maximum: 1_024)
    try Checks.length(body.customerName, "customer_name", maximum: 2_048)
    try Checks.metadata(body.metadata)
    if let starts = body.startsAt, let expires = body.expiresAt, expires <= starts {
      throw .validation(field: "expires_at", "must be later than starts_at")
    }
  }

  private func issue(
    _ body: LicenseCreateRequest, for caller: Caller, now: Date, in transaction: PostgresTransaction
  ) async throws -> LicenseCreateResponse {
    let policy = try await self.policy(body, for: caller, in: transaction)
    if body.maintenanceExpiresAt != nil, policy.licenseType != .perpetual {
      throw APIFailure.validation(field: "maintenance_expires_at", "is only allowed for perpetual licenses")
    }
    let origin = try await Self.origin(
      order: body.orderID?.unlessEmpty, subscription: body.subscriptionID?.unlessEmpty, of: body.productID, for: caller,
      in: transaction)
    let customer = body.customerID?.unlessEmpty
    try await Customers.require(customer, for: caller, in: transaction)

    let id = LicenseID(Random.id(prefix: "lic_"))
    let key = Credential.newLicenseKey()
    try await transaction.query(
      """
      INSERT INTO license_server.licenses
             (tenant_id, id, product_id, policy_id,
              customer_id, order_id, subscription_id,
              state, key_hash, key_prefix, key_last4,
              customer_email, customer_name,
              starts_at, expires_at,
              maintenance_expires_at, metadata, created_at, updated_at)
      VALUES (\(caller.tenant), \(id), \(body.productID), \(body.policyID),
              \(customer), \(origin.order), \(origin.subscription),
              'active', \(Credential.hash(key)), \(Credential.keyPrefix(key)), \(Credential.keyLast4(key)),
              \(BlankText.said(body.customerEmail)), \(BlankText.said(body.customerName)),
              \(body.startsAt?.wholeSeconds), \(body.expiresAt?.wholeSeconds),
              \(body.maintenanceExpiresAt?.wholeSeconds), \((body.metadata ?? [:]).stored)::json, \(now), \(now))
      """)
    try await EventLog.append(
      .licenseCreated, id.rawValue, by: caller, at: now,
      metadata: LicenseOrigin(order: origin.order, subscription: origin.subscription).auditFacts.adding([
        "product_id": .string(body.productID.rawValue), "policy_id": .string(body.policyID.rawValue),
      ]), in: transaction)
    let record = try await LicenseRecord.find(id, for: caller, now: now, in: transaction)
    return LicenseCreateResponse(license: record.license, licenseKey: key)
  }

  /// The policy named, which must be one of the product.
  private func policy(
    _ body: LicenseCreateRequest, for caller: Caller, in transaction: PostgresTransaction
  ) async throws -> Policy {
    do {
      try await Products.find(body.productID, for: caller, in: transaction)
    } catch let failure as APIFailure where failure.status == .notFound { throw APIFailure.notFound("product_id") }
    let policy: Policy
    do {
      policy = try await Policies.find(body.policyID, for: caller, in: transaction)
    } catch let failure as APIFailure where failure.status == .notFound { throw APIFailure.notFound("policy_id") }
    guard policy.productID == body.productID else {
      throw APIFailure.validation(field: "policy_id", "belongs to another product")
    }
    return policy
  }

  /// The order and subscription that a license comes from, or that paid for a renewal. They must belong to the product and to
  /// each other; if no subscription is named, the order's own is used.
  static func origin(
    order: OrderID?, subscription: SubscriptionID?, of product: ProductID, for caller: Caller,
    in transaction: PostgresTransaction
  ) async throws -> LicenseOrigin {
    var origin = LicenseOrigin(order: order, subscription: subscription)
    if let order {
      let found = try await Orders.require(order, of: product, for: caller, in: transaction)
      if let linked = found.subscriptionID {
        guard subscription == nil || subscription == linked else {
          throw APIFailure.validation(field: "subscription_id", "is not the subscription of the order")
        }
        origin.subscription = linked
      }
    }
    if let subscription {
      _ = try await Subscriptions.require(subscription, of: product, for: caller, in: transaction)
    }
    return origin
  }
}

/// Where a license, or a renewal of it, comes from.
struct LicenseOrigin: Hashable, Sendable {
  var order: OrderID?
  var subscription: SubscriptionID?

  var auditFacts: JSONObject {
    var facts = JSONObject()
    facts["order_id"] = order.map { .string($0.rawValue) }
    facts["subscription_id"] = subscription.map { .string($0.rawValue) }
    return facts
  }
}

extension JSONObject {
  /// These members and others; the others win.
  func adding(_ others: JSONObject) -> JSONObject {
    var result = self
    for (key, value) in others { result[key] = value }
    return result
  }
}

extension String {
  /// Nil for the empty text.
  var nonEmpty: String? { isEmpty ? nil : self }
}
