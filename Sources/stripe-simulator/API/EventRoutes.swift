import JSON

extension Routes {
  static let events: [Route] = [
    Route(
      "GET", "events", "event_read",
      Listing.parameters.union(["type", "types", "created", "delivery_success", "related_object"])
    ) { tenant, input throws(StripeFailure) in try list(tenant, input) },
    Route("GET", "events/{}", "event_read", []) { tenant, input throws(StripeFailure) in
      guard let event = tenant.event(input.id), tenant.isRecent(event.created) else {
        throw .missing(noun: "event", input.id)
      }
      return listed(event)
    },
    Route("GET", "core/events/{}", "event_read", [], generation: .v2) { tenant, input throws(StripeFailure) in
      guard let event = tenant.thinEvent(input.id) else {
        throw StripeFailure(status: 404, code: "not_found", message: "There is no event '\(input.id)'.")
      }
      return .object(event)
    },
  ]

  /// An event as the API shows it. The account is named in deliveries only: a caller knows whose events it asks for
  /// (Stripe docs, Connect: webhooks).
  private static func listed(_ event: EventRecord) -> JSONValue {
    var fields = event.fields()
    for name in ["account", "user_id"] { fields[name] = nil }
    return .object(fields)
  }

  private static func list(_ tenant: Tenant, _ input: RouteInput) throws(StripeFailure) -> JSONValue {
    let parameters = input.parameters
    let types = parameters.texts("types")
    if types.count > 20 { throw .invalid("You may pass at most 20 types.", parameter: "types") }
    if parameters["type"] != nil, !types.isEmpty {
      throw .invalid("You may only specify one of these parameters: type, types.", parameter: "type")
    }
    let type = parameters.text("type")
    let success = parameters["delivery_success"]?.asBool
    return try Listing.page(
      of: tenant.events.map(\.id), input, isNewestFirst: true,
      position: { cursor throws(StripeFailure) in
        guard let event = tenant.event(cursor) else {
          throw .missing(noun: "event", cursor, parameter: "starting_after")
        }
        return event.serial
      },
      serial: { tenant.event($0)?.serial ?? 0 },
      show: { id in
        guard let event = tenant.event(id), tenant.isRecent(event.created) else { return nil }
        if let type, !matches(event.type, type) { return nil }
        if !types.isEmpty, !types.contains(event.type) { return nil }
        // An event is delivered successfully when nothing is left to deliver and nothing was given up.
        if let success, success != (event.allDelivered && event.pendingWebhooks == 0) { return nil }
        guard Listing.isInRange(event.created, parameters["created"]) else { return nil }
        if case .app(let installation) = input.caller.kind, !installation.hears(event.type) { return nil }
        return listed(event)
      })
  }

  /// `type` may end in `.*`.
  private static func matches(_ type: String, _ pattern: String) -> Bool {
    pattern.hasSuffix("*") ? type.hasPrefix(pattern.dropLast()) : type == pattern
  }
}
