import JSON

/// What a route's handler is given.
struct RouteInput {
  var ids: [String]
  var parameters: Fields
  var version: APIVersion
  var caller: Caller
  var path: String

  var id: String { ids.first ?? "" }
  var shape: Shape { version.shape }
}

/// One route of the API.
struct Route: Sendable {
  typealias Handler = @Sendable (Tenant, RouteInput) throws(StripeFailure) -> JSONValue

  /// Who may ask.
  enum Audience: Sendable {
    /// Callers that act for one merchant.
    case accounts
    /// The developer too, in no merchant's name.
    case developerToo
  }

  /// The version of the API, the first segment of the path.
  enum Generation: Substring, Sendable {
    case v1, v2
  }

  let method: String
  let generation: Generation
  /// The segments below it; `{}` takes any one segment.
  let pattern: [Substring]
  let permission: String?
  /// The parameters that exist; nil takes everything.
  let parameters: Set<String>?
  let isNewOnly: Bool
  let audience: Audience
  let handler: Handler

  init(
    _ method: String, _ pattern: String, _ permission: String?, _ parameters: Set<String>? = [],
    isNewOnly: Bool = false, audience: Audience = .accounts, generation: Generation = .v1,
    _ handler: @escaping Handler
  ) {
    self.method = method
    self.generation = generation
    self.audience = audience
    self.pattern = pattern.split(separator: "/")
    self.permission = permission
    self.parameters = parameters
    self.isNewOnly = isNewOnly
    self.handler = handler
  }

  func exists(_ version: APIVersion) -> Bool { !isNewOnly || !version.shape.isOld }
}

/// All routes of the API below `/v1` and `/v2`.
enum Routes {
  private struct Form: Hashable {
    let method: String
    let generation: Route.Generation
    let length: Int
  }

  private static let table: [Form: [Route]] = Dictionary(
    grouping: customers + catalogue + checkout + subscriptions + invoices + payments + reversals + disputeEvidence
      + testClocks + events + installs
  ) { Form(method: $0.method, generation: $0.generation, length: $0.pattern.count) }

  static func match(_ method: String, _ path: String) -> (Route, [String])? {
    let all = path.split(separator: "/")
    let segments = all.dropFirst()
    guard let generation = all.first.flatMap(Route.Generation.init(rawValue:)),
      let candidates = table[Form(method: method, generation: generation, length: segments.count)]
    else { return nil }
    // A literal segment wins over a placeholder: `customers/search` is no customer.
    var best: (Route, [String])?
    for route in candidates {
      var ids: [String] = []
      var isMatch = true
      for (expected, actual) in zip(route.pattern, segments) {
        if expected == "{}" {
          ids.append(String(actual))
        } else if expected != actual {
          isMatch = false
          break
        }
      }
      guard isMatch else { continue }
      if let found = best, found.1.count <= ids.count { continue }
      best = (route, ids)
    }
    return best
  }

  /// `GET one` of a kind.
  static func retrieve(_ path: String, _ kind: Kind, isNewOnly: Bool = false) -> Route {
    Route("GET", path + "/{}", kind.permission + "_read", [], isNewOnly: isNewOnly) {
      tenant, input throws(StripeFailure) in
      _ = try tenant.require(kind, input.id)
      return tenant.value(kind, input.id, input.shape)
    }
  }

  /// `POST one` of a kind: metadata, and nothing but metadata and the other named fields.
  static func update(_ path: String, _ kind: Kind, copying names: [String] = []) -> Route {
    Route("POST", path + "/{}", kind.permission + "_write", Set(["metadata"] + names)) {
      tenant, input throws(StripeFailure) in
      let fields = try tenant.require(kind, input.id)
      if fields.bool("deleted") { throw .missing(kind, input.id) }
      let metadata = try Metadata.merged(fields.object("metadata"), input.parameters["metadata"])
      tenant.update(kind, input.id, event: kind.updatedEvent) {
        tenant.edit(kind, input.id) { object in
          if let metadata { object["metadata"] = .object(metadata) }
          for name in names {
            guard let value = input.parameters[name] else { continue }
            object[name] = Routes.typed(value, like: object[name])
          }
        }
      }
      return tenant.value(kind, input.id, input.shape)
    }
  }

  /// Payment methods come from the Dashboard's settings since 2026-09-30 (Stripe changelog, endive).
  static func refuseMethodTypes(_ input: RouteInput) throws(StripeFailure) {
    guard input.shape == .endive, input.parameters["payment_method_types"] != nil else { return }
    throw .invalid(
      "payment_method_types is no longer supported; use dynamic payment methods, or exclude types.",
      parameter: "payment_method_types", code: "payment_method_types_no_longer_supported")
  }

  /// `billing_cycle_anchor`: a word, and since 2026-09-30 an object with a `type`.
  static func anchor(_ input: RouteInput) throws(StripeFailure) -> String? {
    guard let value = input.parameters["billing_cycle_anchor"] else { return nil }
    let word = input.shape == .endive ? value.asObject?.text("type") : value.asText
    guard let word, word == "now" || word == "unchanged" else {
      throw .invalid(
        input.shape == .endive ? "Invalid object" : "Must be one of now or unchanged", parameter: "billing_cycle_anchor"
      )
    }
    return word
  }

  /// A form's text as the type that the field already has.
  static func typed(_ value: JSONValue, like former: JSONValue?) -> JSONValue {
    if value == .string("") { return .null }
    switch former {
    case .bool: return flag(value.asBool ?? false)
    case .integer: return int(value.asInt)
    default: return value
    }
  }
}

extension Tenant {
  func value(_ kind: Kind, _ id: String, _ shape: Shape) -> JSONValue {
    render(kind, id, shape).map { .object($0) } ?? .null
  }
}
