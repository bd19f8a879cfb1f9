import Hummingbird
import Identity
import LicenseKitAPI
import ServerKit

extension ManagementRoutes {
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
}
