import JSON

/// An answer of the API that is not a success (Stripe docs, API: errors).
struct StripeFailure: Error, Sendable {
  var status: Int
  var type = "invalid_request_error"
  var code: String?
  var message: String
  var parameter: String?
  var headers: [(String, String)] = []
  /// False when Stripe keeps nothing under the idempotency key: the request was refused before it ran.
  var isStored = true

  var body: JSONValue {
    var error = Fields([])
    if let code {
      error["code"] = .string(code)
      error["doc_url"] = .string("https://stripe.com/docs/error-codes/" + code.replacing("_", with: "-"))
    }
    error["message"] = .string(message)
    if let parameter { error["param"] = .string(parameter) }
    error["type"] = .string(type)
    return .object(fields(["error": .object(error)]))
  }

  static func missing(_ kind: Kind, _ id: String, parameter: String = "id") -> StripeFailure {
    missing(noun: kind.noun, id, parameter: parameter)
  }

  static func missing(noun: String, _ id: String, parameter: String = "id") -> StripeFailure {
    StripeFailure(status: 404, code: "resource_missing", message: "No such \(noun): '\(id)'", parameter: parameter)
  }

  static func invalid(_ message: String, parameter: String?, code: String? = nil) -> StripeFailure {
    StripeFailure(status: 400, code: code, message: message, parameter: parameter, isStored: false)
  }

  static func unknownParameter(_ name: String) -> StripeFailure {
    invalid("Received unknown parameter: \(name)", parameter: name, code: "parameter_unknown")
  }

  static func requiredParameter(_ name: String) -> StripeFailure {
    invalid("Missing required param: \(name).", parameter: name, code: "parameter_missing")
  }
}
