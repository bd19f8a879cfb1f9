import Foundation
import HTTPTransport
import Identity
import JSON
import LicenseKitAPI
import LicenseKitHTTP
import LicenseServer
import Postgres
import TestSupport
import Testing

@Suite("Custom fields")
struct CustomFieldsTests {
  static let definition =
    "id product_id resource_type code name value_type is_required enum_options metadata created_at updated_at"
  static let value =
    "definition_id product_id resource_type resource_id code name value_type is_required enum_options metadata"

  /// A field made through the API; its id.
  static func define(
    _ fixture: Fixture, _ product: ProductID, _ code: String, _ type: String, for resource: String = "license",
    more: String = ""
  ) async throws -> String {
    let body = #"{"resource_type":"\#(resource)","code":"\#(code)","name":"N","value_type":"\#(type)"\#(more)}"#
    let reply = try await fixture.send("POST", "/api/v1/products/\(product)/custom-fields", body)
    #expect(reply.status == 201, "\(reply.text)")
    return try #require(reply.data?["id"]?.string)
  }

  static func put(_ fixture: Fixture, _ path: String, _ body: String) async throws -> Reply {
    try await fixture.send("PUT", "/api/v1/\(path)", body)
  }

  @Test(
    "a definition answers with the schema's members in the schema's order, and can be read, listed, changed, deleted")
  func definitions() async throws {
    try await withLicenseServer { fixture in
      let product = try await fixture.admin.makeCatalog().product.id
      let path = "/api/v1/products/\(product)/custom-fields"
      let made = try await fixture.send(
        "POST", path,
        #"{"resource_type":"license","code":"tier","name":"Tier","value_type":"enum","enum_options":["b","a"],"metadata":{"x":1}}"#
      )
      #expect(made.status == 201)
      #expect(made.data?.object?.keys.joined(separator: " ") == Self.definition)
      #expect(made.data?["is_required"]?.bool == false)
      #expect(made.data?["enum_options"]?.array?.compactMap(\.string) == ["b", "a"])
      let id = try #require(made.data?["id"]?.string)
      #expect(id.hasPrefix("fld_"))

      #expect(try await fixture.send("GET", "\(path)/\(id)").data == made.data)
      #expect(try await fixture.send("GET", path).data?.array == [try #require(made.data)])
      fixture.clock.advance(seconds: 5)
      let changed = try await fixture.send(
        "PATCH", "\(path)/\(id)",
        #"{"code":"level","name":"Level","is_required":true,"enum_options":["c"],"metadata":{}}"#)
      #expect(changed.status == 200)
      #expect(changed.data?["code"]?.string == "level")
      #expect(changed.data?["enum_options"]?.array?.compactMap(\.string) == ["c"])
      #expect(changed.data?["updated_at"] != made.data?["updated_at"])
      #expect(try await fixture.send("PATCH", "\(path)/\(id)", "{}").data?["name"]?.string == "Level")

      let gone = try await fixture.send("DELETE", "\(path)/\(id)")
      #expect(gone.status == 204)
      #expect(gone.response.body.isEmpty)
      #expect(try await fixture.send("GET", "\(path)/\(id)").status == 404)
      #expect(try await fixture.send("GET", "/api/v1/products/prod_none/custom-fields").data?.array == [])
    }
  }

  /// Body; status, and what the detail names.
  static let refusedDefinitions: [(String, Int, String)] = [
    (#"{"resource_type":"order","code":"a","name":"A","value_type":"string"}"#, 422, "resource_type"),
    (#"{"resource_type":"license","code":"a","name":"A","value_type":"float"}"#, 422, "value_type"),
    (#"{"resource_type":"license","code":" a","name":"A","value_type":"string"}"#, 422, "code"),
    (#"{"resource_type":"license","code":"a","name":"","value_type":"string"}"#, 422, "name"),
    (#"{"resource_type":"license","code":"a","name":"A"}"#, 422, "value_type"),
    (
      #"{"resource_type":"license","code":"a","name":"A","value_type":"string","enum_options":["x"]}"#, 422,
      "enum_options"
    ),
    (#"{"resource_type":"license","code":"a","name":"A","value_type":"enum"}"#, 422, "enum_options"),
    (
      #"{"resource_type":"license","code":"a","name":"A","value_type":"enum","enum_options":["x","x"]}"#, 422,
      "enum_options[1]"
    ),
    (
      #"{"resource_type":"license","code":"a","name":"A","value_type":"enum","enum_options":["x",""]}"#, 422,
      "enum_options[1]"
    ),
    (#"{"resource_type":"license","code":"a","name":"A","value_type":"enum","enum_options":"x"}"#, 400, "enum_options"),
    (#"{"resource_type":"license","code":"a","name":"A","value_type":"string","default":"x"}"#, 400, "default"),
    (#"{"resource_type":"license","code":"taken","name":"A","value_type":"string"}"#, 409, "code"),
  ]

  @Test("what a definition cannot be is refused by status and field; a code may repeat for the other resource type")
  func refused() async throws {
    try await withLicenseServer { fixture in
      let product = try await fixture.admin.makeCatalog().product.id
      let other = try await fixture.admin.makeCatalog().product.id
      let field = try await Self.define(fixture, product, "taken", "string")
      _ = try await Self.define(fixture, product, "taken", "string", for: "customer")
      _ = try await Self.define(fixture, other, "taken", "integer")
      let second = try await Self.define(fixture, product, "second", "enum", more: #","enum_options":["x"]"#)
      for (body, status, name) in Self.refusedDefinitions {
        let reply = try await fixture.send("POST", "/api/v1/products/\(product)/custom-fields", body)
        #expect(reply.status == status, "\(body): \(reply.text)")
        #expect(reply.detail?.contains(name) == true, "\(body): \(reply.text)")
      }
      let patches: [(String, String, Int, String)] = [
        (field, #"{"value_type":"integer"}"#, 400, "value_type"),
        (field, #"{"resource_type":"customer"}"#, 400, "resource_type"),
        (field, #"{"enum_options":["x"]}"#, 422, "enum_options"),
        (second, #"{"enum_options":[]}"#, 422, "enum_options"),
        (second, #"{"code":"taken"}"#, 409, "code"), (second, #"{"is_required":"yes"}"#, 400, "is_required"),
      ]
      for (id, body, status, name) in patches {
        let reply = try await fixture.send("PATCH", "/api/v1/products/\(product)/custom-fields/\(id)", body)
        #expect(reply.status == status, "\(body): \(reply.text)")
        #expect(reply.detail?.contains(name) == true, "\(body): \(reply.text)")
      }
      for (method, body) in [("GET", nil), ("PATCH", "{}"), ("DELETE", nil)] {
        let reply = try await fixture.send(method, "/api/v1/products/\(other)/custom-fields/\(field)", body)
        #expect(reply.status == 404, "\(method): a field of another product")
      }
      #expect(try await fixture.send("DELETE", "/api/v1/products/\(product)").status == 409)
    }
  }

  /// Type and more of the field; body; status of the PUT, and what the detail names or the member holds.
  static let puts: [(String, String, Int, String)] = [
    ("string", #"{"string_value":"é"}"#, 200, #""string_value":"é""#),
    ("string", #"{"string_value":""}"#, 200, #""string_value":"""#),
    ("string", #"{"string_value":"\u0000"}"#, 422, "string_value"),
    ("string", #"{"string_value":7}"#, 400, "string_value"),
    ("string", #"{"integer_value":7}"#, 422, "integer_value"), ("string", #"{"enum_value":"x"}"#, 422, "enum_value"),
    ("integer", #"{"integer_value":9007199254740991}"#, 200, #""integer_value":9007199254740991"#),
    ("integer", #"{"integer_value":-9007199254740991}"#, 200, #""integer_value":-9007199254740991"#),
    ("integer", #"{"integer_value":9007199254740992}"#, 422, "integer_value"),
    ("integer", #"{"integer_value":1.5}"#, 400, "integer_value"),
    ("integer", #"{"string_value":"7"}"#, 422, "string_value"),
    ("boolean", #"{"boolean_value":false}"#, 200, #""boolean_value":false"#),
    ("boolean", #"{"boolean_value":"true"}"#, 400, "boolean_value"),
    (
      "datetime", #"{"datetime_value":"2026-01-01T01:00:00.9+01:00"}"#, 200, #""datetime_value":"2026-01-01T00:00:00Z""#
    ),
    ("datetime", #"{"datetime_value":"soon"}"#, 422, "datetime_value"),
    ("enum", #"{"enum_value":"x"}"#, 200, #""enum_value":"x""#), ("enum", #"{"enum_value":"z"}"#, 422, "enum_value"),
    ("enum", #"{"string_value":"x"}"#, 422, "string_value"),
    ("string", "{}", 422, "clear"), ("string", #"{"clear":false}"#, 422, "clear"),
    ("string", #"{"clear":true,"string_value":"x"}"#, 422, "string_value"),
    ("string", #"{"string_value":"x","integer_value":1}"#, 422, "integer_value"),
    ("string", #"{"value":"x"}"#, 400, "value"), ("string", #"{"clear":true}"#, 204, ""),
    ("string", #"{"clear":false,"string_value":"x"}"#, 200, #""string_value":"x""#),
  ]

  @Test("a value must be exactly one, of the field's type and within its bounds")
  func values() async throws {
    try await withLicenseServer { fixture in
      let catalog = try await fixture.admin.makeCatalog()
      let license = try await fixture.admin.issue(catalog).license.id
      var fields: [String: String] = [:]
      for type in ["string", "integer", "boolean", "datetime", "enum"] {
        let more = type == "enum" ? #","enum_options":["x","y"]"# : ""
        fields[type] = try await Self.define(fixture, catalog.product.id, "f_\(type)", type, more: more)
      }
      for (type, body, status, expected) in Self.puts {
        let field = try #require(fields[type])
        let reply = try await Self.put(fixture, "licenses/\(license)/custom-fields/\(field)", body)
        #expect(reply.status == status, "\(type) \(body): \(reply.text)")
        if status == 204 {
          #expect(reply.response.body.isEmpty)
        } else if status == 200 {
          #expect(reply.text.contains(expected), "\(body): \(reply.text)")
          let member = "\(type)_value"
          #expect(reply.data?.object?.keys.joined(separator: " ") == "\(Self.value) \(member) updated_at", "\(body)")
        } else {
          #expect(reply.detail?.contains(expected) == true, "\(type) \(body): \(reply.text)")
        }
      }
      let long = String(repeating: "x", count: 4_097)
      let text = try #require(fields["string"])
      let tooLong = try await Self.put(
        fixture, "licenses/\(license)/custom-fields/\(text)", #"{"string_value":"\#(long)"}"#)
      #expect(tooLong.status == 422)
      let listed = try await fixture.send("GET", "/api/v1/licenses/\(license)/custom-fields")
      #expect(listed.data?.array?.count == 5)
      #expect(listed.data?.array?.allSatisfy { $0["resource_id"]?.string == license.rawValue } == true)
    }
  }

  @Test("a required value can be replaced and not cleared; clearing what is not set is no change")
  func required() async throws {
    try await withLicenseServer { fixture in
      let catalog = try await fixture.admin.makeCatalog()
      let product = catalog.product.id
      let field = try await Self.define(fixture, product, "po", "string", more: #","is_required":true"#)
      // A new license cannot carry values, so a required field keeps none from being issued.
      let license = try await fixture.admin.issue(catalog).license.id
      let path = "licenses/\(license)/custom-fields/\(field)"
      #expect(try await Self.put(fixture, path, #"{"string_value":" "}"#).status == 422)
      #expect(try await Self.put(fixture, path, #"{"string_value":"1"}"#).status == 200)
      let kept = try await Self.put(fixture, path, #"{"clear":true}"#)
      #expect(kept.status == 422)
      #expect(kept.detail?.contains("required") == true)
      _ = try await fixture.send(
        "PATCH", "/api/v1/products/\(product)/custom-fields/\(field)", #"{"is_required":false}"#)
      for _ in 1...2 { #expect(try await Self.put(fixture, path, #"{"clear":true}"#).status == 204) }
      let cleared = try await fixture.admin.listEvents(EventFilter(eventType: "custom_field_value.cleared"))
      #expect(cleared.events.count == 1)
      #expect(try await fixture.send("GET", "/api/v1/licenses/\(license)/custom-fields").data?.array == [])
    }
  }

  @Test("a license has the fields of its own product, a customer those of every product, and neither the other's")
  func owners() async throws {
    try await withLicenseServer { fixture in
      let (first, second) = (try await fixture.admin.makeCatalog(), try await fixture.admin.makeCatalog())
      let license = try await fixture.admin.issue(first).license.id
      let customer = try await fixture.admin.createCustomer(CustomerCreateRequest(name: "Ada", code: "ada")).id
      let own = try await Self.define(fixture, first.product.id, "a", "integer")
      let foreign = try await Self.define(fixture, second.product.id, "a", "integer")
      let ofCustomers = try await Self.define(fixture, first.product.id, "a", "integer", for: "customer")
      let alsoOfCustomers = try await Self.define(fixture, second.product.id, "a", "integer", for: "customer")
      let puts: [(String, Int)] = [
        ("licenses/\(license)/custom-fields/\(own)", 200), ("licenses/\(license)/custom-fields/\(foreign)", 404),
        ("licenses/\(license)/custom-fields/\(ofCustomers)", 404), ("licenses/lic_none/custom-fields/\(own)", 404),
        ("licenses/\(license)/custom-fields/fld_none", 404),
        ("customers/\(customer)/custom-fields/\(ofCustomers)", 200),
        ("customers/\(customer)/custom-fields/\(alsoOfCustomers)", 200),
        ("customers/\(customer)/custom-fields/\(own)", 404), ("customers/cust_none/custom-fields/\(ofCustomers)", 404),
      ]
      for (path, status) in puts {
        #expect(try await Self.put(fixture, path, #"{"integer_value":1}"#).status == status, "\(path)")
      }
      #expect(try await fixture.send("GET", "/api/v1/licenses/lic_none/custom-fields").status == 404)
      #expect(try await fixture.send("GET", "/api/v1/customers/cust_none/custom-fields").status == 404)
      let listed = try await fixture.send("GET", "/api/v1/customers/\(customer)/custom-fields")
      #expect(listed.data?.array?.compactMap { $0["definition_id"]?.string } == [alsoOfCustomers, ofCustomers])

      // A customer that is referred to stays with everything; one that is not goes with everything.
      let bound = try await fixture.admin.issue(first, customer: customer).license.id
      #expect(try await fixture.send("DELETE", "/api/v1/customers/\(customer)").status == 409)
      #expect(try await fixture.send("GET", "/api/v1/customers/\(customer)/custom-fields").data?.array?.count == 2)
      _ = try await fixture.admin.transferLicense(
        bound, LicenseTransferRequest(customerID: ""), idempotencyKey: "t")
      #expect(try await fixture.send("DELETE", "/api/v1/customers/\(customer)").status == 204)
      let field = "/api/v1/products/\(first.product.id)/custom-fields"
      #expect(try await fixture.send("DELETE", "\(field)/\(ofCustomers)").status == 204)
      #expect(try await fixture.send("DELETE", "\(field)/\(own)").status == 409, "a license has a value")
    }
  }

  @Test("an option that some value has cannot be taken away, not even by whoever is quicker")
  func options() async throws {
    try await withLicenseServer { fixture in
      let catalog = try await fixture.admin.makeCatalog()
      let license = try await fixture.admin.issue(catalog).license.id
      for round in 1...10 {
        let field = try await Self.define(
          fixture, catalog.product.id, "tier\(round)", "enum", more: #","enum_options":["x","y"]"#)
        let path = "/api/v1/products/\(catalog.product.id)/custom-fields/\(field)"
        async let set = Self.put(fixture, "licenses/\(license)/custom-fields/\(field)", #"{"enum_value":"x"}"#)
        async let removed = fixture.send("PATCH", path, #"{"enum_options":["y"]}"#)
        let statuses = [try await set.status, try await removed.status]
        #expect([[200, 409], [422, 200]].contains(statuses), "\(statuses)")
        if statuses[0] == 200 {
          #expect(try await fixture.send("PATCH", path, #"{"enum_options":["x","z"]}"#).status == 200)
          #expect(try await fixture.send("DELETE", path).status == 409)
        }
      }
    }
  }

  @Test("every change is in the audit trail, with the license or customer it belongs to and without the value")
  func events() async throws {
    try await withLicenseServer { fixture in
      let catalog = try await fixture.admin.makeCatalog()
      let license = try await fixture.admin.issue(catalog).license.id
      let field = try await Self.define(fixture, catalog.product.id, "po", "string")
      let path = "/api/v1/products/\(catalog.product.id)/custom-fields/\(field)"
      _ = try await fixture.send("PATCH", path, #"{"name":"PO"}"#)
      _ = try await Self.put(fixture, "licenses/\(license)/custom-fields/\(field)", #"{"string_value":"secret-po"}"#)
      _ = try await Self.put(fixture, "licenses/\(license)/custom-fields/\(field)", #"{"clear":true}"#)
      _ = try await fixture.send("DELETE", path)
      let own = try await fixture.admin.listEvents(EventFilter(resourceType: "custom_field", resourceID: field))
      #expect(own.events.map(\.eventType) == ["custom_field.deleted", "custom_field.updated", "custom_field.created"])
      let set = try await fixture.admin.listEvents(
        EventFilter(resourceType: "license", resourceID: license.rawValue)
      ).events.map(\.eventType)
      #expect(set == ["custom_field_value.cleared", "custom_field_value.set", "license.created"])
      let leaks = try await fixture.database.client.query(
        "SELECT FROM license_server.events e WHERE position('secret-po' IN e::text) > 0")
      #expect(leaks.isEmpty)
    }
  }
}
