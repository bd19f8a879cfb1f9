import JSON

/// What can be looked at.
enum ControlViews {
  static func overview(_ world: World) -> JSONValue {
    object([
      "now": .integer(world.now), "base_url": .string(world.post.baseURL),
      "developers": .array(world.developers.map(ControlSettings.show)),
      "webhook_endpoints": .array(world.post.endpoints.map(ControlSettings.show)),
      "accounts": .array(world.merchantOrder.map { ControlAccounts.show($0, world) }),
      "deliveries": object([
        "pending": .integer(Int64(world.post.pending)), "held": .integer(Int64(world.post.held.count)),
      ]),
      "events": .integer(Int64(world.emitted.count)), "requests": .integer(Int64(world.requests.total)),
    ])
  }

  static func deliveries(_ call: ControlCall, _ world: World) -> JSONValue {
    let limit = Int(call.body.number("limit") ?? 1000)
    let state = call.body.text("state")
    let event = call.body.text("event")
    let account = call.body.text("account")
    let type = call.body.text("type")
    var shown: [JSONValue] = []
    for id in world.post.order.reversed() {
      guard shown.count < limit else { break }
      guard let delivery = world.post.deliveries[id], state.map({ $0 == delivery.state.rawValue }) ?? true,
        event.map({ $0 == delivery.eventID }) ?? true, account.map({ $0 == delivery.tenant.account }) ?? true,
        type.map({ $0 == delivery.type }) ?? true
      else { continue }
      shown.append(show(delivery))
    }
    let held = world.post.held.count { account == nil || $0.tenant.account == account }
    return object([
      "pending": .integer(Int64(world.post.pending(of: account))), "held": .integer(Int64(held)),
      "data": .array(shown.reversed()),
    ])
  }

  private static func show(_ delivery: Delivery) -> JSONValue {
    object([
      "id": .integer(delivery.id), "event": .string(delivery.eventID), "type": .string(delivery.type),
      "account": .string(delivery.tenant.account), "livemode": flag(delivery.tenant.environment.livemode),
      "environment": .string(delivery.tenant.environment.rawValue),
      "endpoint": .string(delivery.endpointID), "state": .string(delivery.state.rawValue),
      "attempts": .array(
        delivery.attempts.map { attempt in
          object([
            "at": .integer(attempt.at), "status": int(attempt.status.map { Int64($0) }),
            "milliseconds": .integer(attempt.milliseconds), "error": str(attempt.error),
          ])
        }),
    ])
  }

  static func requests(_ call: ControlCall, _ world: World) -> JSONValue {
    let limit = Int(call.body.number("limit") ?? 1000)
    let account = call.body.text("account")
    let method = call.body.text("method")
    let path = call.body.text("path")
    let entries = world.requests.entries.filter { entry in
      (account.map { $0 == entry.account } ?? true) && (method.map { $0 == entry.method } ?? true)
        && (path.map { entry.path.hasPrefix($0) } ?? true)
    }
    return object([
      "total": .integer(Int64(world.requests.total)),
      "data": .array(
        entries.suffix(limit).map { entry in
          object([
            "id": .string(entry.id), "at": .integer(entry.at), "method": .string(entry.method),
            "path": .string(entry.path),
            "account": str(entry.account), "livemode": (entry.environment?.livemode).map(flag) ?? .null,
            "environment": str(entry.environment?.rawValue),
            "idempotency_key": str(entry.idempotencyKey), "stripe_version": str(entry.version),
            "status": .integer(Int64(entry.status)), "replayed": flag(entry.isReplay),
          ])
        }),
    ])
  }

  /// Events of one account, or one event as it was delivered in a version.
  static func events(_ call: ControlCall, _ world: World) throws(StripeFailure) -> JSONValue {
    if call.path.count == 2 {
      let version = call.body.text("api_version").flatMap { APIVersion($0) } ?? .newest
      for tenant in world.tenants.values {
        if let thin = tenant.thinEvent(call.path[1]) { return .object(thin) }
        guard let event = tenant.event(call.path[1]) else { continue }
        return (try? JSONValue(parsing: event.body(version: version))) ?? .null
      }
      throw .missing(noun: "event", call.path[1])
    }
    let account = call.body.text("account")
    let all = world.tenants.values.filter { account == nil || account == $0.account }.flatMap(\.events)
    let sorted = all.sorted { $0.serial < $1.serial }.suffix(Int(call.body.number("limit") ?? 1000))
    return object([
      "data": .array(
        sorted.map { event in
          object([
            "id": .string(event.id), "type": .string(event.type), "account": .string(event.account),
            "livemode": flag(event.livemode), "environment": .string(event.environment.rawValue),
            "created": .integer(event.created), "object_id": .string(event.objectID), "thin_id": .string(event.thinID),
            "pending_webhooks": .integer(Int64(event.pendingWebhooks)), "all_delivered": flag(event.allDelivered),
          ])
        })
    ])
  }

  /// Finds an object by its id alone, whatever account it belongs to.
  static func owner(_ id: String, _ world: World) throws(StripeFailure) -> (Tenant, Kind) {
    guard let kind = Kind(id: id) else { throw .missing(noun: "object", id) }
    for tenant in world.tenants.values where tenant.find(kind, id) != nil { return (tenant, kind) }
    throw .missing(kind, id)
  }

  static func metadata(_ call: ControlCall, _ world: World) throws(StripeFailure) -> JSONValue {
    let (tenant, kind) = try owner(call.path[1], world)
    return object(["id": .string(call.path[1]), "metadata": tenant.find(kind, call.path[1])?["metadata"] ?? .null])
  }

  static func objects(_ call: ControlCall, _ world: World) throws(StripeFailure) -> JSONValue {
    let (tenant, kind) = try owner(call.path[1], world)
    let shape: Shape = call.body.text("api_version").flatMap { APIVersion($0) }?.shape ?? APIVersion.newest.shape
    return tenant.value(kind, call.path[1], shape)
  }
}
