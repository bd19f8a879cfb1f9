import Hummingbird
import Identity
import LicenseKitAPI
import ServerKit

/// The management API: what is where. Every route asks who calls, then whether the scope covers the operation, and only
/// then reads anything else.
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

  var products: [ManagementRoute] {
    let (products, versions) = (services.products, services.productVersions)
    return [
      .init(.listProducts, .get, "/api/v1/products") { call in
        try await call.page(products.list(call.range(), for: call.caller))
      },
      .init(.createProduct, .post, "/api/v1/products") { call in
        try await call.created(products.create(call.body(), for: call.caller))
      },
      .init(.getProduct, .get, "/api/v1/products/:id") { call in
        try await call.ok(products.get(call.id(), for: call.caller))
      },
      .init(.updateProduct, .patch, "/api/v1/products/:id") { call in
        try await call.ok(products.update(call.id(), call.body(), for: call.caller))
      },
      .init(.deleteProduct, .delete, "/api/v1/products/:id") { call in
        try await products.delete(call.id(), for: call.caller)
        return Answer.empty()
      },
      .init(.listProductVersions, .get, "/api/v1/products/:id/versions") { call in
        try await call.page(versions.list(call.id(), call.range(), for: call.caller))
      },
      .init(.createProductVersion, .post, "/api/v1/products/:id/versions") { call in
        try await call.created(versions.create(call.id(), call.body(), for: call.caller))
      },
    ]
  }

  var policies: [ManagementRoute] {
    let policies = services.policies
    return [
      .init(.listPoliciesByProduct, .get, "/api/v1/products/:id/policies") { call in
        try await call.page(policies.list(call.id(), call.range(), for: call.caller))
      },
      .init(.createPolicy, .post, "/api/v1/products/:id/policies") { call in
        try await call.created(policies.create(call.id(), call.body(), for: call.caller))
      },
      .init(.getPolicy, .get, "/api/v1/policies/:id") { call in
        try await call.ok(policies.get(call.id(), for: call.caller))
      },
      .init(.updatePolicy, .patch, "/api/v1/policies/:id") { call in
        try await call.ok(policies.update(call.id(), call.body(), for: call.caller))
      },
      .init(.deletePolicy, .delete, "/api/v1/policies/:id") { call in
        try await policies.delete(call.id(), for: call.caller)
        return Answer.empty()
      },
    ]
  }

  var features: [ManagementRoute] {
    let features = services.features
    return [
      .init(.listFeaturesByProduct, .get, "/api/v1/products/:id/features") { call in
        try await call.page(features.list(call.id(), call.range(), for: call.caller))
      },
      .init(.createFeature, .post, "/api/v1/products/:id/features") { call in
        try await call.created(features.create(call.id(), call.body(), for: call.caller))
      },
      .init(.getFeature, .get, "/api/v1/features/:id") { call in
        try await call.ok(features.get(call.id(), for: call.caller))
      },
    ]
  }

  var customers: [ManagementRoute] {
    let customers = services.customers
    return [
      .init(.listCustomers, .get, "/api/v1/customers") { call in
        try await call.page(customers.list(call.range(), for: call.caller))
      },
      .init(.createCustomer, .post, "/api/v1/customers") { call in
        try await call.created(customers.create(call.body(), for: call.caller))
      },
      .init(.getCustomer, .get, "/api/v1/customers/:id") { call in
        try await call.ok(customers.get(call.id(), for: call.caller))
      },
      .init(.updateCustomer, .patch, "/api/v1/customers/:id") { call in
        try await call.ok(customers.update(call.id(), call.body(), for: call.caller))
      },
      .init(.deleteCustomer, .delete, "/api/v1/customers/:id") { call in
        try await customers.delete(call.id(), for: call.caller)
        return Answer.empty()
      },
    ]
  }

  /// Orders and subscriptions.
  var commerce: [ManagementRoute] {
    let (orders, subscriptions) = (services.orders, services.subscriptions)
    return [
      .init(.listProductOrders, .get, "/api/v1/products/:id/orders") { call in
        try await call.page(orders.list(call.id(), call.range(), for: call.caller))
      },
      .init(.createOrder, .post, "/api/v1/products/:id/orders") { call in
        try await call.created(orders.create(call.id(), call.body(), for: call.caller))
      },
      .init(.getOrder, .get, "/api/v1/orders/:id") { call in
        try await call.ok(orders.get(call.id(), for: call.caller))
      },
      .init(.updateOrder, .patch, "/api/v1/orders/:id") { call in
        try await call.ok(orders.update(call.id(), call.body(), for: call.caller))
      },
      .init(.listProductSubscriptions, .get, "/api/v1/products/:id/subscriptions") { call in
        try await call.page(subscriptions.list(call.id(), call.range(), for: call.caller))
      },
      .init(.createSubscription, .post, "/api/v1/products/:id/subscriptions") { call in
        try await call.created(subscriptions.create(call.id(), call.body(), for: call.caller))
      },
      .init(.getSubscription, .get, "/api/v1/subscriptions/:id") { call in
        try await call.ok(subscriptions.get(call.id(), for: call.caller))
      },
      .init(.updateSubscription, .patch, "/api/v1/subscriptions/:id") { call in
        try await call.ok(subscriptions.update(call.id(), call.body(), for: call.caller))
      },
    ]
  }

  var licenses: [ManagementRoute] {
    let (licenses, issuing, renewal) = (services.licenses, services.issuing, services.renewal)
    return [
      .init(.listLicenses, .get, "/api/v1/licenses") { call in
        let (filter, cursor) = (try LicenseFilter(query: call.request.query), try call.cursor())
        return try await call.page(
          licenses.list(filter, after: cursor.map { try LicenseCursor($0) }, for: call.caller),
          filters: LicenseFilter.queryNames)
      },
      .init(.createLicense, .post, "/api/v1/licenses") { call in
        let key = call.request.idempotencyKey
        return try await call.stored(
          issuing.create(call.body(), idempotencyKey: key, for: call.caller), status: .created)
      },
      .init(.getLicense, .get, "/api/v1/licenses/:id") { call in
        try await call.ok(licenses.get(call.id(), for: call.caller))
      },
      .init(.renewLicense, .post, "/api/v1/licenses/:id/renew") { call in
        let key = try call.idempotencyKey()
        return try await call.stored(renewal.renew(call.id(), call.body(), idempotencyKey: key, for: call.caller))
      },
      .init(.suspendLicense, .post, "/api/v1/licenses/:id/suspend") { call in
        try await call.ok(licenses.suspend(call.id(), for: call.caller))
      },
      .init(.reinstateLicense, .post, "/api/v1/licenses/:id/reinstate") { call in
        try await call.ok(licenses.reinstate(call.id(), for: call.caller))
      },
      .init(.revokeLicense, .post, "/api/v1/licenses/:id/revoke") { call in
        try await call.ok(licenses.revoke(call.id(), for: call.caller))
      },
      .init(.transferLicense, .post, "/api/v1/licenses/:id/transfer") { call in
        let key = try call.idempotencyKey()
        return try await call.stored(renewal.transfer(call.id(), call.body(), idempotencyKey: key, for: call.caller))
      },
    ]
  }

  var licenseFeatures: [ManagementRoute] {
    let features = services.licenseFeatures
    return [
      .init(.listLicenseFeatures, .get, "/api/v1/licenses/:id/features") { call in
        try await call.page(features.list(call.id(), call.range(), for: call.caller))
      },
      .init(.assignLicenseFeature, .post, "/api/v1/licenses/:id/features") { call in
        try await call.ok(features.assign(call.id(), call.body(), for: call.caller))
      },
      .init(.removeLicenseFeature, .delete, "/api/v1/licenses/:id/features/:feature_id") { call in
        try await features.remove(call.id(), call.id("feature_id"), for: call.caller)
        return Answer.empty()
      },
      .init(.resetLicenseUsage, .post, "/api/v1/licenses/:id/usage/reset") { call in
        try await call.ok(features.resetUsage(call.id(), call.body(), for: call.caller))
      },
    ]
  }

  var devices: [ManagementRoute] {
    let devices = services.devices
    return [
      .init(.listLicenseDevices, .get, "/api/v1/licenses/:id/devices") { call in
        try await call.page(devices.list(call.id(), call.range(), for: call.caller))
      },
      .init(.getLicenseDevice, .get, "/api/v1/licenses/:id/devices/:device_id") { call in
        try await call.ok(devices.get(call.id(), call.id("device_id"), for: call.caller))
      },
      .init(.resetLicenseDevice, .post, "/api/v1/licenses/:id/devices/:device_id/reset") { call in
        try await call.ok(devices.reset(call.id(), call.id("device_id"), for: call.caller))
      },
      .init(.blacklistLicenseDevice, .post, "/api/v1/licenses/:id/devices/:device_id/blacklist") { call in
        try await call.ok(devices.blacklist(call.id(), call.id("device_id"), for: call.caller))
      },
    ]
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
