import Cryptography
import Foundation
import Identity
import JSON
import LicenseKitAPI
import Postgres
import ServerKit

/// Records of subscriptions that an outside system bills. Changing one changes no license.
struct Subscriptions: Sendable {
  let store: TenantStore
  let clock: ServerClock

  /// An unknown product has none.
  func list(_ product: ProductID, _ range: ListRange<SubscriptionTag>, for caller: Caller) async throws -> ListPage<
    Subscription
  > {
    try await store.transaction(caller.tenant, readOnly: true) { transaction in
      let read = try await transaction.query(
        """
        SELECT \(fragment: Self.columns)
          FROM license_server.subscriptions
         WHERE tenant_id = \(caller.tenant) AND product_id = \(product) AND id < \(range.below)
         ORDER BY id DESC
         LIMIT \(fragment: range.rowsRead)
        """
      ).all(Subscription.init(row:))
      return ListPage(read, of: range, by: \.id)
    }
  }

  func create(_ product: ProductID, _ body: SubscriptionCreateRequest, for caller: Caller) async throws -> Subscription
  {
    let now = clock.now()
    let subscription = Subscription(
      id: SubscriptionID(Random.id(prefix: "sub_")), productID: product, customerID: body.customerID?.unlessEmpty,
      externalSystem: body.externalSystem, externalID: body.externalID, status: body.status,
      currentPeriodStart: body.currentPeriodStart.wholeSeconds, currentPeriodEnd: body.currentPeriodEnd.wholeSeconds,
      cancelAtPeriodEnd: body.cancelAtPeriodEnd ?? false, canceledAt: body.canceledAt?.wholeSeconds,
      metadata: body.metadata ?? [:], createdAt: now, updatedAt: now)
    try Self.check(subscription)
    return try await store.transaction(caller.tenant) { transaction in
      try await Products.find(product, for: caller, in: transaction)
      try await Customers.require(subscription.customerID, for: caller, in: transaction)
      try await conflicting(on: "subscriptions_external_id", "external_id: another subscription of the product has it")
      {
        try await transaction.query(
          """
          INSERT INTO license_server.subscriptions
                 (tenant_id, id, product_id, customer_id,
                  external_system, external_id, status,
                  current_period_start, current_period_end,
                  cancel_at_period_end, canceled_at,
                  metadata, created_at, updated_at)
          VALUES (\(caller.tenant), \(subscription.id), \(product), \(subscription.customerID),
                  \(subscription.externalSystem), \(subscription.externalID), \(subscription.status.rawValue),
                  \(subscription.currentPeriodStart), \(subscription.currentPeriodEnd),
                  \(subscription.cancelAtPeriodEnd), \(subscription.canceledAt),
                  \(subscription.metadata.stored)::json, \(now), \(now))
          """)
      }
      try await EventLog.append(
        .subscriptionCreated, subscription.id.rawValue, by: caller, at: now, metadata: subscription.auditFacts,
        in: transaction)
      return subscription
    }
  }

  func get(_ id: SubscriptionID, for caller: Caller) async throws -> Subscription {
    try await store.transaction(caller.tenant, readOnly: true) { transaction in
      guard let found = try await Self.find(id, for: caller, in: transaction) else {
        throw APIFailure.notFound("subscription")
      }
      return found
    }
  }

  /// Leaving the status `canceled` also clears `canceled_at`, which belongs to it.
  func update(_ id: SubscriptionID, _ body: SubscriptionUpdateRequest, for caller: Caller) async throws -> Subscription
  {
    let now = clock.now()
    return try await store.transaction(caller.tenant) { transaction in
      guard var changed = try await Self.find(id, for: caller, locked: true, in: transaction) else {
        throw APIFailure.notFound("subscription")
      }
      if let customer = body.customerID { changed.customerID = customer.unlessEmpty }
      if let system = body.externalSystem { changed.externalSystem = system }
      if let external = body.externalID { changed.externalID = external }
      if let status = body.status {
        changed.status = status
        if status != .canceled, body.canceledAt == nil { changed.canceledAt = nil }
      }
      if let start = body.currentPeriodStart { changed.currentPeriodStart = start.wholeSeconds }
      if let end = body.currentPeriodEnd { changed.currentPeriodEnd = end.wholeSeconds }
      if let flag = body.cancelAtPeriodEnd { changed.cancelAtPeriodEnd = flag }
      if let moment = body.canceledAt { changed.canceledAt = moment.wholeSeconds }
      if let metadata = body.metadata { changed.metadata = metadata }
      changed.updatedAt = now
      let subscription = changed
      try Self.check(subscription)
      if body.customerID != nil {
        try await Customers.require(subscription.customerID, for: caller, in: transaction)
      }
      try await conflicting(on: "subscriptions_external_id", "external_id: another subscription of the product has it")
      {
        try await transaction.query(
          """
          UPDATE license_server.subscriptions
             SET customer_id          = \(subscription.customerID),
                 external_system      = \(subscription.externalSystem),
                 external_id          = \(subscription.externalID),
                 status               = \(subscription.status.rawValue),
                 current_period_start = \(subscription.currentPeriodStart),
                 current_period_end   = \(subscription.currentPeriodEnd),
                 cancel_at_period_end = \(subscription.cancelAtPeriodEnd),
                 canceled_at          = \(subscription.canceledAt),
                 metadata             = \(subscription.metadata.stored)::json,
                 updated_at           = \(now)
           WHERE tenant_id = \(caller.tenant) AND id = \(id)
          """)
      }
      try await EventLog.append(
        .subscriptionUpdated, id.rawValue, by: caller, at: now, metadata: subscription.auditFacts, in: transaction)
      return subscription
    }
  }

  /// The subscription, or nil.
  static func find(
    _ id: SubscriptionID, for caller: Caller, locked: Bool = false, in transaction: PostgresTransaction
  ) async throws -> Subscription? {
    let rows = try await transaction.query(
      """
      SELECT \(fragment: columns)
        FROM license_server.subscriptions
       WHERE tenant_id = \(caller.tenant) AND id = \(id)
      \(unescaped: locked ? "FOR UPDATE" : "")
      """)
    return try rows.first.map(Subscription.init(row:))
  }

  /// The subscription a record of `product` refers to.
  /// - Throws: 404 when it is not there, 422 when it belongs to another product; both name the field.
  static func require(
    _ id: SubscriptionID, of product: ProductID, for caller: Caller, in transaction: PostgresTransaction
  ) async throws -> Subscription {
    guard let found = try await find(id, for: caller, in: transaction) else {
      throw APIFailure.notFound("subscription_id")
    }
    guard found.productID == product else {
      throw APIFailure.validation(field: "subscription_id", "belongs to another product")
    }
    return found
  }

  private static func check(_ subscription: Subscription) throws(APIFailure) {
    try Checks.required(subscription.externalSystem, "external_system", maximum: 128)
    try Checks.required(subscription.externalID, "external_id")
    try Checks.metadata(subscription.metadata)
    guard subscription.currentPeriodEnd > subscription.currentPeriodStart else {
      throw .validation(field: "current_period_end", "must be later than current_period_start")
    }
    guard subscription.canceledAt == nil || subscription.status == .canceled else {
      throw .validation(field: "canceled_at", "is only allowed with the status canceled")
    }
  }

  static let columns: PostgresQuery = """
    id, product_id, customer_id, external_system, external_id, status, current_period_start, current_period_end,
    cancel_at_period_end, canceled_at, metadata::text AS metadata, created_at, updated_at
    """
}

extension Subscription {
  init(row: PostgresRow) throws {
    self.init(
      id: try row.get("id"), productID: try row.get("product_id"), customerID: try row.get("customer_id"),
      externalSystem: try row.get("external_system"), externalID: try row.get("external_id"),
      status: try row.value("status"), currentPeriodStart: try row.get("current_period_start"),
      currentPeriodEnd: try row.get("current_period_end"), cancelAtPeriodEnd: try row.get("cancel_at_period_end"),
      canceledAt: try row.get("canceled_at"), metadata: try row.metadata(), createdAt: try row.get("created_at"),
      updatedAt: try row.get("updated_at"))
  }
}
