import JSON

/// Metadata rules (Stripe docs, API: metadata): 50 keys, keys to 40 characters, values to 500, sent keys are merged, an
/// empty value removes its key, empty metadata removes all.
enum Metadata {
  /// Nil when the request does not speak of metadata.
  static func merged(_ former: Fields?, _ change: JSONValue?) throws(StripeFailure) -> Fields? {
    guard let change else { return nil }
    if change == .string("") { return Fields([]) }
    guard let change = change.asObject else { throw .invalid("Invalid object", parameter: "metadata") }
    var result = former ?? Fields([])
    for (key, value) in change {
      guard let text = value.asText else {
        throw .invalid("Metadata values must be strings", parameter: "metadata[\(key)]")
      }
      guard key.count <= 40 else {
        throw .invalid("Invalid metadata: key names can have up to 40 characters.", parameter: "metadata")
      }
      guard text.count <= 500 else {
        throw .invalid(
          "Metadata values can have up to 500 characters, but you passed in a value that is \(text.count) characters.",
          parameter: "metadata[\(key)]")
      }
      if text.isEmpty { result[key] = nil } else { result[key] = .string(text) }
    }
    guard result.count <= 50 else { throw .invalid("Metadata can have up to 50 keys.", parameter: "metadata") }
    return result
  }

  static func new(_ value: JSONValue?) throws(StripeFailure) -> Fields { try merged(nil, value) ?? Fields([]) }
}
