import JSON

/// Faults, holding and releasing, resending.
enum ControlFaults {
  static func faults(_ call: ControlCall, _ world: World) throws(StripeFailure) -> JSONValue {
    switch call.method {
    case "POST":
      if let seed = call.body.number("seed") { world.chance = SeededRandom(seed: UInt64(bitPattern: seed)) }
      if let deliveries = call.body.object("deliveries") { set(deliveries, world) }
      for value in call.body.array("api") {
        guard let fault = value.asObject else { continue }
        world.faults.api.append(apiFault(fault))
      }
      return show(world.faults)
    case "DELETE":
      let former = world.faults
      world.faults = Faults()
      world.faults.isHolding = former.isHolding
      world.faults.heldAccounts = former.heldAccounts
      return show(world.faults)
    default: return show(world.faults)
    }
  }

  private static func set(_ body: Fields, _ world: World) {
    if let value = body.real("duplicate") { world.faults.duplicate = value }
    if let value = body.real("reorder") { world.faults.reorder = value }
    if let value = body.real("delay") { world.faults.delay = value }
    if let value = body.real("drop") { world.faults.drop = value }
    if let value = body.real("twin") { world.faults.twin = value }
    if let value = body.number("delay_ms") { world.faults.delayMilliseconds = max(0, value) }
    if let value = body.number("duplicate_next") { world.faults.duplicateNext = Int(value) }
    if let value = body.number("drop_next") { world.faults.dropNext = Int(value) }
    if let value = body.number("delay_next") { world.faults.delayNext = Int(value) }
    if body["types"] != nil { world.faults.types = body.texts("types") }
    if body["accounts"] != nil { world.faults.accounts = body.texts("accounts") }
  }

  private static func apiFault(_ body: Fields) -> APIFault {
    let probability = body.real("probability")
    return APIFault(
      status: Int(body.number("status") ?? 0), code: body.text("code"),
      remaining: body.number("times").map { Int($0) } ?? (probability == nil ? 1 : nil), probability: probability ?? 1,
      method: body.text("method"), path: body.text("path"), account: body.text("account"),
      takesEffect: body.bool("takes_effect"), delayMilliseconds: body.number("delay_ms") ?? 0,
      shouldRetry: body["should_retry"]?.asBool)
  }

  private static func show(_ faults: Faults) -> JSONValue {
    func real(_ value: Double) -> JSONValue { .decimal("\(value)") }
    return object([
      "deliveries": object([
        "duplicate": real(faults.duplicate), "reorder": real(faults.reorder), "delay": real(faults.delay),
        "drop": real(faults.drop), "twin": real(faults.twin), "delay_ms": .integer(faults.delayMilliseconds),
        "duplicate_next": .integer(Int64(faults.duplicateNext)), "drop_next": .integer(Int64(faults.dropNext)),
        "delay_next": .integer(Int64(faults.delayNext)), "types": strings(faults.types),
        "holding": flag(faults.isHolding),
      ]),
      "api": .array(
        faults.api.filter { $0.remaining != 0 }.map { fault in
          object([
            "status": .integer(Int64(fault.status)), "code": str(fault.code),
            "times": int(fault.remaining.map { Int64($0) }), "probability": real(fault.probability),
            "method": str(fault.method), "path": str(fault.path), "account": str(fault.account),
            "takes_effect": flag(fault.takesEffect), "delay_ms": .integer(fault.delayMilliseconds),
          ])
        }),
    ])
  }

  /// `hold`, `release`, `retry_failed`, `resend`; each for all accounts or for the one named.
  static func deliveries(_ call: ControlCall, _ world: World) throws(StripeFailure) -> JSONValue {
    let account = call.body.text("account")
    switch call.path[1] {
    case "hold":
      if let account { world.faults.heldAccounts.insert(account) } else { world.faults.isHolding = true }
      return object(["holding": true])
    case "release":
      if !call.body.bool("keep_holding") {
        if let account {
          world.faults.heldAccounts.remove(account)
        } else {
          world.faults.isHolding = false
          world.faults.heldAccounts = []
        }
      }
      let count = world.release(
        account: account, order: call.body.texts("order"), isShuffled: call.body.bool("shuffle"),
        inParallel: call.body.bool("parallel"))
      return object(["released": .integer(Int64(count))])
    case "retry_failed":
      let lost = world.post.order.compactMap { world.post.deliveries[$0] }.filter {
        ($0.state == .failed || $0.state == .dropped) && (account == nil || $0.tenant.account == account)
      }
      for delivery in lost { world.post.requeue(delivery.id, due: Monotonic.now()) }
      return object(["released": .integer(Int64(lost.count))])
    case "resend":
      let types = call.body.texts("types")
      var count = 0
      for tenant in world.tenants.values where account == nil || tenant.account == account {
        for event in tenant.events where types.isEmpty || types.contains(event.type) {
          world.enqueue(event.id, of: tenant)
          count += 1
        }
        for alert in tenant.alerts where types.isEmpty || types.contains(alert.type) {
          world.enqueue(alert, of: tenant)
          count += 1
        }
      }
      return object(["released": .integer(Int64(count))])
    default:
      throw StripeFailure(status: 404, message: "No such control route.")
    }
  }

  /// `POST /_control/events/{id}/resend`: as the Dashboard's button does, to every endpoint again. The id may be that of
  /// the thin event.
  static func resend(_ call: ControlCall, _ world: World) throws(StripeFailure) -> JSONValue {
    let id = call.path[1]
    for tenant in world.tenants.values {
      if let alert = tenant.alert(id) {
        world.enqueue(alert, of: tenant)
        return object(["event": .string(id), "pending": .integer(Int64(world.post.pending(of: tenant.account)))])
      }
      guard let event = tenant.event(id) ?? tenant.thinPositions[id].map({ tenant.events[$0] }) else { continue }
      world.enqueue(event.id, of: tenant)
      return object(["event": .string(id), "pending": .integer(Int64(tenant.event(event.id)?.pendingWebhooks ?? 0))])
    }
    throw .missing(noun: "event", id)
  }
}
