import JSON

/// `/_control`: everything that happens at Stripe without the app asking. JSON in, JSON out; errors look like the API's.
/// docs/simulator.md lists every route with an example.
enum ControlAPI {
  static func answer(_ call: Call, _ simulator: Simulator) async -> Answer {
    let path = call.segments.dropFirst().map { $0 }
    let body: Fields
    if call.body.isEmpty {
      body = FormDecoding.decode(call.query) ?? Fields([])
    } else if let parsed = (try? JSONValue(parsing: call.body))?.asObject {
      body = parsed
    } else {
      return .json(StripeFailure.invalid("The body is no JSON object.", parameter: nil).body, status: 400)
    }
    if call.method == "POST", path == ["wait_idle"] {
      return await waitIdle(body.text("account"), timeout: body.number("timeout_ms") ?? 30_000, simulator)
    }
    return await simulator.with { world in
      do throws(StripeFailure) {
        return .json(try route(ControlCall(method: call.method, path: path, body: body), world))
      } catch {
        return .json(error.body, status: error.status)
      }
    }
  }

  /// Answers as soon as no delivery waits or is on its way; held ones do not count.
  private static func waitIdle(_ account: String?, timeout: Int64, _ simulator: Simulator) async -> Answer {
    let deadline = Monotonic.now() + timeout
    while true {
      let pending = await simulator.read { $0.post.pending(of: account) }
      let isLate = Monotonic.now() >= deadline
      if pending == 0 || isLate {
        let value = object([
          "idle": flag(pending == 0), "pending": .integer(Int64(pending)),
        ])
        return .json(value, status: pending == 0 ? 200 : 504)
      }
      do { try await Task.sleep(for: .milliseconds(5)) } catch { return .json(object(["idle": false]), status: 503) }
    }
  }

  /// The map of the control API.
  private static func route(_ call: ControlCall, _ world: World) throws(StripeFailure) -> JSONValue {
    switch (call.method, call.path.first, call.path.count) {
    case ("GET", nil, _): return ControlViews.overview(world)
    case (_, "developers", _): return try ControlSettings.developers(call, world)
    case (_, "webhook_endpoints", _): return try ControlSettings.endpoints(call, world)
    case (_, "delivery_settings", 1): return ControlSettings.deliverySettings(call, world)
    case (_, "faults", _): return try ControlFaults.faults(call, world)
    case ("POST", "clock", 1):
      world.clockOffset += call.body.number("seconds") ?? 0
      return object(["now": .integer(world.now)])
    case ("GET", "deliveries", 1): return ControlViews.deliveries(call, world)
    case ("POST", "deliveries", 2): return try ControlFaults.deliveries(call, world)
    case ("GET", "requests", 1): return ControlViews.requests(call, world)
    case ("DELETE", "requests", 1):
      world.requests.clear()
      return object(["cleared": true])
    case ("GET", "events", _): return try ControlViews.events(call, world)
    case ("POST", "events", 3): return try ControlFaults.resend(call, world)
    case ("GET", "metadata", 2): return try ControlViews.metadata(call, world)
    case ("GET", "objects", 2): return try ControlViews.objects(call, world)
    case (_, "accounts", _): return try ControlAccounts.answer(call, world)
    default:
      throw StripeFailure(
        status: 404, message: "No such control route: \(call.method) /_control/\(call.path.joined(separator: "/"))")
    }
  }
}

/// A control request, read.
struct ControlCall {
  var method: String
  /// Below `/_control`.
  var path: [String]
  var body: Fields

  /// The environment a request speaks of: `environment`, else by `livemode`, which is false unless given.
  func environment() throws(StripeFailure) -> Environment {
    guard let name = body.text("environment") else { return Environment(livemode: body.bool("livemode")) }
    guard let environment = Environment(rawValue: name) else {
      throw .invalid("environment is live, test or sandbox", parameter: "environment")
    }
    return environment
  }

  /// The same for one merchant: a sandbox is all there is of its account.
  func environment(of merchant: Merchant) throws(StripeFailure) -> Environment {
    let named = try environment()
    if merchant.environments.contains(named) { return named }
    guard body["environment"] == nil, !named.livemode, let other = merchant.environments.first(where: { !$0.livemode })
    else {
      throw .invalid("The account \(merchant.id) does not exist in \(named.title).", parameter: "environment")
    }
    return other
  }

  func required(_ name: String) throws(StripeFailure) -> String {
    guard let value = body.text(name) else { throw .requiredParameter(name) }
    return value
  }
}
