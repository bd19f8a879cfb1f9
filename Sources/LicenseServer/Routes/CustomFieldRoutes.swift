import Hummingbird
import Identity
import LicenseKitAPI
import ServerKit

extension ManagementRoutes {
  /// Definitions of custom fields, and their values on customers and licenses.
  var customFields: [ManagementRoute] {
    let (fields, values) = (services.customFieldDefinitions, services.customFieldValues)
    return [
      .init(.listProductCustomFieldDefinitions, .get, "/api/v1/products/:id/custom-fields") { call in
        try await call.page(fields.list(call.id(), call.range(), for: call.caller))
      },
      .init(.createProductCustomFieldDefinition, .post, "/api/v1/products/:id/custom-fields") { call in
        try await call.created(fields.create(call.id(), call.body(), for: call.caller))
      },
      .init(.getProductCustomFieldDefinition, .get, "/api/v1/products/:id/custom-fields/:field_id") { call in
        try await call.ok(fields.get(call.id(), call.id("field_id"), for: call.caller))
      },
      .init(.updateProductCustomFieldDefinition, .patch, "/api/v1/products/:id/custom-fields/:field_id") { call in
        try await call.ok(fields.update(call.id(), call.id("field_id"), call.body(), for: call.caller))
      },
      .init(.deleteProductCustomFieldDefinition, .delete, "/api/v1/products/:id/custom-fields/:field_id") { call in
        try await fields.delete(call.id(), call.id("field_id"), for: call.caller)
        return Answer.empty()
      },
      .init(.listCustomerCustomFieldValues, .get, "/api/v1/customers/:id/custom-fields") { call in
        try await call.page(values.list(.customer(call.id()), call.range(), for: call.caller))
      },
      .init(.upsertCustomerCustomFieldValue, .put, "/api/v1/customers/:id/custom-fields/:field_id") { call in
        try await call.okOrEmpty(
          values.upsert(.customer(call.id()), call.id("field_id"), call.body(), for: call.caller))
      },
      .init(.listLicenseCustomFieldValues, .get, "/api/v1/licenses/:id/custom-fields") { call in
        try await call.page(values.list(.license(call.id()), call.range(), for: call.caller))
      },
      .init(.upsertLicenseCustomFieldValue, .put, "/api/v1/licenses/:id/custom-fields/:field_id") { call in
        try await call.okOrEmpty(
          values.upsert(.license(call.id()), call.id("field_id"), call.body(), for: call.caller))
      },
    ]
  }
}

extension ManagementCall {
  /// 200 with the value, or 204 when there is none any more.
  fileprivate func okOrEmpty(_ value: CustomFieldValue?) throws -> Response {
    try value.map { try ok($0) } ?? Answer.empty()
  }
}
