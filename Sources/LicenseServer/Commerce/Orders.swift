import Cryptography
import Foundation
import Identity
import JSON
import LicenseKitAPI
import Postgres
import ServerKit

/// Records of orders that an outside system took. Changing one changes no license.
struct Orders: Sendable {
  let store: TenantStore
  let clock: ServerClock

  /// An unknown product has none.
  func list(_ product: ProductID, _ range: ListRange<OrderTag>, for caller: Caller) async throws -> ListPage<Order> {
    try await store.transaction(caller.tenant, readOnly: true) { transaction in
      let read = try await transaction.query(
        """
        SELECT \(fragment: Self.columns)
          FROM license_server.orders
         WHERE tenant_id = \(caller.tenant) AND product_id = \(product) AND id < \(range.below)
         ORDER BY id DESC
         LIMIT \(fragment: range.rowsRead)
        """
      ).all(Order.init(row:))
      return ListPage(read, of: range, by: \.id)
    }
  }

  func create(_ product: ProductID, _ body: OrderCreateRequest, for caller: Caller) async throws -> Order {
    let now = clock.now()
    let order = Order(
      id: OrderID(Random.id(prefix: "ord_")), productID: product, customerID: body.customerID?.unlessEmpty,
      subscriptionID: body.subscriptionID?.unlessEmpty, externalSystem: body.externalSystem,
      externalID: body.externalID,
      status: body.status, periodStart: body.periodStart?.wholeSeconds, periodEnd: body.periodEnd?.wholeSeconds,
      metadata: body.metadata ?? [:], createdAt: now, updatedAt: now)
    try Self.check(order)
    return try await store.transaction(caller.tenant) { transaction in
      try await Products.find(product, for: caller, in: transaction)
      try await Customers.require(order.customerID, for: caller, in: transaction)
      if let subscription = order.subscriptionID {
        _ = try await Subscriptions.require(subscription, of: product, for: caller, in: transaction)
      }
      try await conflicting(on: "orders_external_id", "external_id: another order of the product has it") {
        try await transaction.query(
          """
          INSERT INTO license_server.orders
                 (tenant_id, id, product_id, customer_id, subscription_id,
                  external_system, external_id, status, period_start, period_end,
                  metadata, created_at, updated_at)
          VALUES (\(caller.tenant), \(order.id), \(product), \(order.customerID), \(order.subscriptionID),
                  \(order.externalSystem), \(order.externalID), \(order.status.rawValue), \(order.periodStart), \(order.periodEnd),
                  \(order.metadata.stored)::json, \(now), \(now))
          """)
      }
      try await EventLog.append(
        .orderCreated, order.id.rawValue, by: caller, at: now, metadata: order.auditFacts, in: transaction)
      return order
    }
  }

  func get(_ id: OrderID, for caller: Caller) async throws -> Order {
    try await store.transaction(caller.tenant, readOnly: true) { transaction in
      guard let found = try await Self.find(id, for: caller, in: transaction) else {
        throw APIFailure.notFound("order")
      }
      return found
    }
  }

  func update(_ id: OrderID, _ body: OrderUpdateRequest, for caller: Caller) async throws -> Order {
    let now = clock.now()
    return try await store.transaction(caller.tenant) { transaction in
      guard var changed = try await Self.find(id, for: caller, locked: true, in: transaction) else {
        throw APIFailure.notFound("order")
      }
      if let customer = body.customerID { changed.customerID = customer.unlessEmpty }
      if let subscription = body.subscriptionID { changed.subscriptionID = subscription.unlessEmpty }
      if let system = body.externalSystem { changed.externalSystem = system }
      if let external = body.externalID { changed.externalID = external }
      if let status = body.status { changed.status = status }
      if let start = body.periodStart { changed.periodStart = start.wholeSeconds }
      if let end = body.periodEnd { changed.periodEnd = end.wholeSeconds }
      if let metadata = body.metadata { changed.metadata = metadata }
      changed.updatedAt = now
      let order = changed
      try Self.check(order)
      if body.customerID != nil { try await Customers.require(order.customerID, for: caller, in: transaction) }
      if body.subscriptionID != nil, let subscription = order.subscriptionID {
        _ = try await Subscriptions.require(subscription, of: order.productID, for: caller, in: transaction)
      }
      try await conflicting(on: "orders_external_id", "external_id: another order of the product has it") {
        try await transaction.query(
          """
          UPDATE license_server.orders
             SET customer_id     = \(order.customerID),
                 subscription_id = \(order.subscriptionID),
                 external_system = \(order.externalSystem),
                 external_id     = \(order.externalID),
                 status          = \(order.status.rawValue),
                 period_start    = \(order.periodStart),
                 period_end      = \(order.periodEnd),
                 metadata        = \(order.metadata.stored)::json,
                 updated_at      = \(now)
           WHERE tenant_id = \(caller.tenant) AND id = \(id)
          """)
      }
      try await EventLog.append(
        .orderUpdated, id.rawValue, by: caller, at: now, metadata: order.auditFacts, in: transaction)
      return order
    }
  }

  /// The order, or nil.
  static func find(
    _ id: OrderID, for caller: Caller, locked: Bool = false, in transaction: PostgresTransaction
  ) async throws -> Order? {
    let rows = try await transaction.query(
      """
      SELECT \(fragment: columns)
        FROM license_server.orders
       WHERE tenant_id = \(caller.tenant) AND id = \(id)
      \(unescaped: locked ? "FOR UPDATE" : "")
      """)
    return try rows.first.map(Order.init(row:))
  }

  /// The order a license of `product` refers to.
  /// - Throws: 404 when it is not there, 422 when it belongs to another product; both name the field.
  static func require(
    _ id: OrderID, of product: ProductID, for caller: Caller, in transaction: PostgresTransaction
  ) async throws -> Order {
    guard let found = try await find(id, for: caller, in: transaction) else { throw APIFailure.notFound("order_id") }
    guard found.productID == product else {
      throw APIFailure.validation(field: "order_id", "belongs to another product")
    }
    return found
  }

  private static func check(_ order: Order) throws(APIFailure) {
    try Checks.required(order.externalSystem, "external_system", maximum: 128)
    try Checks.required(order.externalID, "external_id")
    try Checks.metadata(order.metadata)
    switch (order.periodStart, order.periodEnd) {
    case (nil, nil): break
    case (let start?, let end?) where end > start: break
    case (_?, _?): throw .validation(field: "period_end", "must be later than period_start")
    case (nil, _): throw .validation(field: "period_start", "must come together with period_end")
    case (_, nil): throw .validation(field: "period_end", "must come together with period_start")
    }
  }

  static let columns: PostgresQuery = """
    id, product_id, customer_id, subscription_id, external_system, external_id, status, period_start, period_end,
    metadata::text AS metadata, created_at, updated_at
    """
}

extension Order {
  init(row: PostgresRow) throws {
    self.init(
      id: try row.get("id"), productID: try row.get("product_id"), customerID: try row.get("customer_id"),
      subscriptionID: try row.get("subscription_id"), externalSystem: try row.get("external_system"),
      externalID: try row.get("external_id"), status: try row.value("status"), periodStart: try row.get("period_start"),
      periodEnd: try row.get("period_end"), metadata: try row.metadata(), createdAt: try row.get("created_at"),
      updatedAt: try row.get("updated_at"))
  }
}
