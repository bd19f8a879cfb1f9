import Delivery
import Hummingbird
import Identity
import LicenseKitAPI
import ServerKit

extension ManagementRoutes {
  /// Endpoints of outgoing webhooks, and the state of what was sent to them.
  var webhooks: [ManagementRoute] {
    let (endpoints, deliveries, health) = (services.webhooks, services.webhookDeliveries, services.webhookHealth)
    return [
      .init(.listWebhookEndpoints, .get, "/api/v1/webhooks") { call in
        try await call.page(endpoints.list(call.range(), for: call.caller))
      },
      .init(.createWebhookEndpoint, .post, "/api/v1/webhooks") { call in
        try await call.created(endpoints.create(call.body(), for: call.caller))
      },
      .init(.getWebhookEndpoint, .get, "/api/v1/webhooks/:id") { call in
        try await call.ok(endpoints.get(call.id(), for: call.caller))
      },
      .init(.updateWebhookEndpoint, .patch, "/api/v1/webhooks/:id") { call in
        switch try await endpoints.update(call.id(), call.body(), for: call.caller) {
        case .plain(let endpoint): try call.ok(endpoint)
        case .rotated(let endpoint): try call.ok(endpoint)
        }
      },
      .init(.deleteWebhookEndpoint, .delete, "/api/v1/webhooks/:id") { call in
        try await endpoints.delete(call.id(), for: call.caller)
        return Answer.empty()
      },
      .init(.listWebhookDeliveries, .get, "/api/v1/webhooks/:id/deliveries") { call in
        let page = try await deliveries.list(
          call.id(), WebhookDeliveryFilter(query: call.request.query), for: call.caller)
        return try Answer.page(page.deliveries, nextCursor: page.nextCursor?.rawValue, context: call.context)
      },
      .init(.getWebhookDelivery, .get, "/api/v1/webhooks/:id/deliveries/:delivery_id") { call in
        try await call.ok(deliveries.get(call.id("delivery_id"), to: call.id(), for: call.caller))
      },
      .init(.replayWebhookDelivery, .post, "/api/v1/webhooks/:id/deliveries/:delivery_id/replay") { call in
        try await call.ok(deliveries.replay(call.id("delivery_id"), to: call.id(), for: call.caller))
      },
      .init(.testWebhookEndpoint, .post, "/api/v1/webhooks/:id/test") { call in
        try await Answer.data(
          deliveries.test(call.id(), for: call.caller), status: .accepted, context: call.context)
      },
      .init(.getWebhookHealth, .get, "/api/v1/ops/webhook-health") { call in
        try await call.ok(health.report(WebhookHealth.Query(query: call.request.query), for: call.caller))
      },
    ]
  }
}

extension WebhookDeliveryFilter {
  /// The filter of a request.
  init(query: QueryReader) throws(APIFailure) {
    self.init(
      cursor: try query.string("cursor").map { MessageDeliveryID($0) },
      limit: try query.int("limit", in: 1...Int.max),
      status: try query.value("status"),
      eventType: try query.string("event_type"))
  }
}

extension WebhookHealth.Query {
  /// What a request asks for.
  init(query: QueryReader) throws(APIFailure) {
    self.init(
      from: try query.date("from"), to: try query.date("to"),
      endpoint: try query.string("endpoint_id").map { WebhookEndpointID($0) },
      limit: try query.int("limit", in: 1...Int.max))
  }
}
