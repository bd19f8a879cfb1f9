import Hummingbird
import Identity
import LicenseKitAPI
import ServerKit

/// The management API: the list of its routes. Every route first finds out who calls, then whether the scope covers the
/// operation, and only then reads anything else.
struct ManagementRoutes: Sendable {
  let services: Services

  var all: [ManagementRoute] {
    products + policies + features + customers + commerce + licenses + licenseFeatures + devices + customFields
      + apiKeys + events + webhooks + reports + operations
  }

  func add(to router: AppRouter) {
    for route in all {
      router.on(route.path, method: route.method) { [services] request, context in
        var caller = try await services.authenticator.management(
          token: request.credential("Bearer"), host: request.hostName, address: context.clientAddressText)
        caller.requestID = context.requestID
        try caller.authorize(route.operation)
        return try await route.handle(ManagementCall(caller: caller, request: request, context: context))
      }
    }
  }

  var apiKeys: [ManagementRoute] {
    let keys = services.apiKeys
    return [
      .init(.listAPIKeys, .get, "/api/v1/api-keys") { call in
        try await call.page(keys.list(call.range(), for: call.caller))
      },
      .init(.createAPIKey, .post, "/api/v1/api-keys") { call in
        try await call.created(keys.create(call.body(), for: call.caller))
      },
    ]
  }

  var events: [ManagementRoute] {
    let events = services.events
    return [
      .init(.listEvents, .get, "/api/v1/events") { call in
        let page = try await events.list(EventFilter(query: call.request.query), for: call.caller)
        return try Answer.page(page.events, nextCursor: page.nextCursor, context: call.context)
      }
    ]
  }

  /// Activities, reports and their exports.
  var reports: [ManagementRoute] {
    ReportRoutes(services: services).reports
  }

  /// What an operator looks at: health, error groups.
  var operations: [ManagementRoute] {
    ReportRoutes(services: services).operations
  }
}

extension LicenseFilter {
  /// The query items that narrow the list.
  static let queryNames = [
    "product_id", "policy_id", "customer_id", "status", "order_id", "subscription_id", "expires_before",
    "expires_after",
  ]

  /// The filter of a request.
  init(query: QueryReader) throws(APIFailure) {
    self.init(
      productID: try query.string("product_id").map { ProductID($0) },
      policyID: try query.string("policy_id").map { PolicyID($0) },
      customerID: try query.string("customer_id").map { CustomerID($0) },
      status: try query.value("status"),
      orderID: try query.string("order_id").map { OrderID($0) },
      subscriptionID: try query.string("subscription_id").map { SubscriptionID($0) },
      expiresBefore: try query.date("expires_before"),
      expiresAfter: try query.date("expires_after"),
      limit: try query.int("limit", in: 1...Int.max))
  }
}

extension EventFilter {
  /// The filter of a request.
  init(query: QueryReader) throws(APIFailure) {
    self.init(
      cursor: try query.int("cursor", in: 1...Int.max).map { Int64($0) },
      limit: try query.int("limit", in: 1...Int.max),
      eventType: try query.string("event_type"),
      resourceType: try query.string("resource_type"),
      resourceID: try query.string("resource_id"),
      actorType: try query.value("actor_type"))
  }
}
