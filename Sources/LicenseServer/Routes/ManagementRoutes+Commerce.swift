import Hummingbird
import Identity
import LicenseKitAPI
import ServerKit

extension ManagementRoutes {
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
}
