import JSON

/// Developers, endpoints and delivery settings.
enum ControlSettings {
  static func developers(_ call: ControlCall, _ world: World) throws(StripeFailure) -> JSONValue {
    if call.method == "POST" {
      let environment = try call.environment()
      let former = world.developer(environment)
      let names = defaultNames(environment)
      let developer = Developer(
        environment: environment, secretKey: call.body.text("secret_key") ?? former?.secretKey ?? names.secretKey,
        clientID: call.body.text("client_id") ?? former?.clientID ?? names.clientID,
        appID: call.body.text("app_id") ?? former?.appID ?? Developer.defaultAppID,
        name: call.body.text("name") ?? former?.name ?? "Simulated app",
        redirectURIs: call.body["redirect_uris"] == nil
          ? (former?.redirectURIs ?? []) : call.body.texts("redirect_uris"),
        permissions: permissions(call.body) ?? former?.permissions)
      // Another client id is another developer; the same one is changed.
      world.developers.removeAll { $0.clientID == developer.clientID }
      if call.body.bool("additional") {
        world.developers.append(developer)
      } else {
        // It takes the place of those before it; the order of the environments stays.
        let place = world.developers.firstIndex { $0.environment == developer.environment } ?? world.developers.endIndex
        world.developers.removeAll { $0.environment == developer.environment }
        world.developers.insert(developer, at: min(place, world.developers.endIndex))
      }
    }
    return .array(world.developers.map(show))
  }

  private static func defaultNames(_ environment: Environment) -> (secretKey: String, clientID: String) {
    switch environment {
    case .live, .test: ("sk_\(environment.rawValue)_simulator", "ca_\(environment.rawValue)_simulator")
    case .sandbox: ("sk_test_sandbox_simulator", "ca_sandbox_simulator")
    }
  }

  static func permissions(_ body: Fields) -> Set<String>? {
    guard let list = body["permissions"]?.asArray else { return nil }
    return Set(list.compactMap(\.asText))
  }

  static func show(_ developer: Developer) -> JSONValue {
    object([
      "livemode": flag(developer.environment.livemode), "environment": .string(developer.environment.rawValue),
      "secret_key": .string(developer.secretKey), "client_id": .string(developer.clientID),
      "app_id": .string(developer.appID), "name": .string(developer.name),
      "redirect_uris": strings(developer.redirectURIs),
      "permissions": developer.permissions.map { strings($0.sorted()) } ?? .null,
    ])
  }

  static func endpoints(_ call: ControlCall, _ world: World) throws(StripeFailure) -> JSONValue {
    switch (call.method, call.path.count) {
    case ("POST", 1):
      let endpoint = try newEndpoint(call, world)
      world.post.endpoints.append(endpoint)
      return show(endpoint)
    case ("PATCH", 2), ("POST", 2):
      guard let position = world.post.endpoints.firstIndex(where: { $0.id == call.path[1] }) else {
        throw .missing(noun: "webhook_endpoint", call.path[1])
      }
      try change(&world.post.endpoints[position], call.body)
      return show(world.post.endpoints[position])
    case ("DELETE", 2):
      world.post.abandon(endpoint: call.path[1])
      world.post.endpoints.removeAll { $0.id == call.path[1] }
      return object(["id": .string(call.path[1]), "deleted": true])
    default:
      return .array(world.post.endpoints.map(show))
    }
  }

  private static func newEndpoint(_ call: ControlCall, _ world: World) throws(StripeFailure) -> Endpoint {
    var endpoint = Endpoint(
      id: world.newID("we_"), url: try call.required("url"), secrets: [],
      environment: try call.environment(), apiVersion: nil, connect: true, enabledEvents: ["*"], isEnabled: true)
    try change(&endpoint, call.body)
    if endpoint.secrets.isEmpty { endpoint.secrets = ["whsec_" + world.random.letters(32)] }
    return endpoint
  }

  private static func change(_ endpoint: inout Endpoint, _ body: Fields) throws(StripeFailure) {
    if let url = body.text("url") { endpoint.url = url }
    if let secret = body.text("secret") { endpoint.secrets = [secret] }
    if body["secrets"] != nil { endpoint.secrets = body.texts("secrets") }
    if let version = body.text("api_version") {
      guard let parsed = APIVersion(version) else {
        throw .invalid("Invalid Stripe API version: \(version)", parameter: "api_version")
      }
      endpoint.apiVersion = parsed
    }
    if let payload = body.text("payload") {
      guard let parsed = Endpoint.Payload(rawValue: payload) else {
        throw .invalid("payload is snapshot or thin", parameter: "payload")
      }
      endpoint.payload = parsed
    }
    if let hears = body["hears_sandbox"]?.asBool { endpoint.hearsSandbox = hears }
    if let connect = body["connect"]?.asBool { endpoint.connect = connect }
    if let isEnabled = body["enabled"]?.asBool { endpoint.isEnabled = isEnabled }
    if body["enabled_events"] != nil { endpoint.enabledEvents = body.texts("enabled_events") }
  }

  static func show(_ endpoint: Endpoint) -> JSONValue {
    object([
      "id": .string(endpoint.id), "url": .string(endpoint.url), "secrets": strings(endpoint.secrets),
      "livemode": flag(endpoint.environment.livemode), "environment": .string(endpoint.environment.rawValue),
      "api_version": .string(endpoint.version.text), "payload": .string(endpoint.payload.rawValue),
      "connect": flag(endpoint.connect), "hears_sandbox": flag(endpoint.hearsSandbox),
      "enabled": flag(endpoint.isEnabled), "enabled_events": strings(endpoint.enabledEvents),
    ])
  }

  static func deliverySettings(_ call: ControlCall, _ world: World) -> JSONValue {
    if call.method == "POST" {
      let body = call.body
      if let value = body.number("retry_base_ms") { world.post.settings.baseMilliseconds = max(1, value) }
      if let value = body.number("longest_wait_ms") { world.post.settings.longestWait = max(1, value) }
      if let value = body.number("maximum_attempts") { world.post.settings.maximumAttempts = max(1, Int(value)) }
      if let value = body.number("timeout_ms") { world.post.settings.timeout = .milliseconds(max(1, value)) }
      if let value = body.number("maximum_in_flight") { world.post.settings.maximumInFlight = max(1, Int(value)) }
    }
    let settings = world.post.settings
    return object([
      "retry_base_ms": .integer(settings.baseMilliseconds), "longest_wait_ms": .integer(settings.longestWait),
      "maximum_attempts": .integer(Int64(settings.maximumAttempts)),
      "timeout_ms": .integer(Int64(settings.timeout / .milliseconds(1))),
      "maximum_in_flight": .integer(Int64(settings.maximumInFlight)),
    ])
  }
}
