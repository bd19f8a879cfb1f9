import JSON

/// Which parts of Stripe's objects are about the buyer as a person, and how they are removed.
enum PersonalData {
  /// Fields of any object that say who or where a person is, or that hold such fields.
  private static let fields: Set = [
    "email", "phone", "address", "shipping", "receipt_email", "billing_details", "customer_details",
    "customer_email", "customer_name", "customer_phone", "customer_address", "customer_shipping", "customer_tax_ids",
    "collected_information", "shipping_details", "shipping_address", "shipping_address_collection", "custom_fields",
    "individual_name", "business_name", "preferred_locales", "payment_method_details", "customer_purchase_ip",
  ]

  /// A Stripe object, or an event with one, without these fields. A `name` is a person's only in a customer; elsewhere it
  /// names what is sold.
  static func removed(from value: JSONValue) -> JSONValue { removed(from: value, isCustomer: false) }

  private static func removed(from value: JSONValue, isCustomer: Bool) -> JSONValue {
    switch value {
    case .array(let elements): return .array(elements.map { removed(from: $0, isCustomer: isCustomer) })
    case .object(let object):
      let isCustomer = object["object"].map { $0 == "customer" } ?? isCustomer
      var kept = JSONObject()
      for (name, value) in object.elements where !fields.contains(name) && !(isCustomer && personal.contains(name)) {
        // The former values in an event are of the same kind of object.
        let isOfCustomer = name == "previous_attributes" && object["object"]?["object"] == "customer"
        kept[name] = removed(from: value, isCustomer: isOfCustomer)
      }
      return .object(kept)
    case .null, .bool, .integer, .decimal, .string: return value
    }
  }

  /// Fields that are personal only in a customer.
  private static let personal: Set = ["name", "description"]

  /// A stored snapshot without personal fields: it has only a few fields, which are known.
  static func removed(fromSnapshot value: JSONValue) -> JSONValue {
    guard let object = value.object, let (kind, content) = object.elements.first.map({ ($0.key, $0.value) }) else {
      return value
    }
    guard ["checkout_session", "customer", "invoice", "invoices", "invoice_share", "payment_intent"].contains(kind)
    else { return value }
    return .object(
      JSONObject([(kind, without(["email", "name", "customer_email", "customer_name", "receipt_email"], content))]))
  }

  private static func without(_ names: Set<String>, _ value: JSONValue) -> JSONValue {
    switch value {
    case .array(let elements): .array(elements.map { without(names, $0) })
    case .object(let object):
      .object(JSONObject(object.elements.filter { !names.contains($0.key) }.map { ($0.key, without(names, $0.value)) }))
    case .null, .bool, .integer, .decimal, .string: value
    }
  }
}
