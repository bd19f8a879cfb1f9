import JSON

/// `expand[]`: ids become objects, and a few lists that are not shown by default appear (Stripe docs, expanding responses).
enum Expansion {
  static func apply(_ input: RouteInput, _ tenant: Tenant, to value: JSONValue) throws(StripeFailure) -> JSONValue {
    guard let paths = input.parameters["expand"] else { return value }
    guard let paths = paths.asArray else { throw .invalid("Invalid array", parameter: "expand") }
    var result = value
    for path in paths.compactMap(\.asText) {
      let keys = path.split(separator: ".").map(String.init)
      let isList = result.asObject?.text("object") == "list" && keys.first == "data"
      guard keys.count - (isList ? 1 : 0) <= 4 else {
        throw .invalid("You cannot expand more than 4 levels of a property. Property: \(path)", parameter: "expand")
      }
      result = try expanded(result, keys[...], path, input, tenant)
    }
    return result
  }

  private static func expanded(
    _ value: JSONValue, _ keys: ArraySlice<String>, _ path: String, _ input: RouteInput, _ tenant: Tenant
  ) throws(StripeFailure) -> JSONValue {
    guard let key = keys.first else { return value }
    if let elements = value.asArray {
      var result: [JSONValue] = []
      for element in elements { result.append(try expanded(element, keys, path, input, tenant)) }
      return .array(result)
    }
    guard var object = value.asObject else { return value }
    if let list = try hiddenList(key, object, input, tenant) {
      object[key] = try expanded(list, keys.dropFirst(), path, input, tenant)
      return .object(object)
    }
    guard let inner = object[key] else {
      throw .invalid("This property cannot be expanded (\(key)).", parameter: "expand")
    }
    switch inner {
    case .string(let id):
      guard let kind = Kind(id: id), tenant.find(kind, id) != nil else {
        throw .invalid("This property cannot be expanded (\(key)).", parameter: "expand")
      }
      try input.caller.check(kind.permission + "_read")
      let found = tenant.value(kind, id, input.shape)
      object[key] = try expanded(found, keys.dropFirst(), path, input, tenant)
    case .object, .array:
      object[key] = try expanded(inner, keys.dropFirst(), path, input, tenant)
    default:
      break
    }
    return .object(object)
  }

  /// Lists that only appear when they are asked for. Apps are refused a session's lines this way and must use the
  /// sub-resource (reported from the field).
  private static func hiddenList(
    _ key: String, _ object: Fields, _ input: RouteInput, _ tenant: Tenant
  ) throws(StripeFailure) -> JSONValue? {
    guard let id = object.text("id") else { return nil }
    switch (object.text("object"), key) {
    case ("checkout.session", "line_items"):
      if !input.caller.isMerchant {
        throw StripeFailure(
          status: 403, code: "more_permissions_required_for_application",
          message: "The provided key does not have the required permissions to expand line_items.", isStored: false)
      }
      let lines = tenant.sessionLines(id).map { JSONValue.object(tenant.renderSessionLine($0, input.shape)) }
      return tenant.embeddedList(lines, url: "/v1/checkout/sessions/\(id)/line_items")
    case ("invoice", "payments") where !input.shape.isOld:
      let payments = tenant.all(.invoicePayment, where: "invoice", is: id).map { JSONValue.object($0.visible) }
      return tenant.embeddedList(payments, url: "/v1/invoice_payments?invoice=\(id)")
    case ("charge", "refunds"):
      let refunds = tenant.all(.refund, where: "charge", is: id).reversed().map { JSONValue.object($0.visible) }
      return tenant.embeddedList(refunds, url: "/v1/charges/\(id)/refunds")
    default:
      return nil
    }
  }
}
