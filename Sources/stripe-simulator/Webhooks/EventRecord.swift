import JSON

/// An event as it is kept: the object's snapshot in both shapes, as indented text ready to be sent.
struct EventRecord: Sendable {
  struct Cause: Sendable {
    var requestID: String
    var idempotencyKey: String?
  }

  var id: String
  /// The id of this event's thin form; the same at every endpoint and every time.
  var thinID: String
  var serial: Int64
  var type: String
  var created: Int64
  var environment: Environment
  var account: String
  /// The merchant's version when the event happened: what fetching the event later shows.
  var merchantVersion: APIVersion
  var cause: Cause?
  var objectID: String
  /// What a thin event points to; nil when the object cannot be fetched.
  var related: RelatedObject?
  var data: [Shape: String]
  var pendingWebhooks: Int
  /// False once a delivery was given up or dropped.
  var allDelivered: Bool

  var livemode: Bool { environment.livemode }

  /// The text that is signed and sent.
  func body(version: APIVersion) -> String {
    let request =
      cause.map {
        "{\n    \"id\": \(quoted($0.requestID)),\n    \"idempotency_key\": \($0.idempotencyKey.map(quoted) ?? "null")\n  }"
      } ?? "{\n    \"id\": null,\n    \"idempotency_key\": null\n  }"
    return """
      {
        "id": \(quoted(id)),
        "object": "event",
        "\(version.accountField)": \(quoted(account)),
        "api_version": \(quoted(version.text)),
        "created": \(created),
        "data": \(data[version.shape] ?? "{}"),
        "livemode": \(livemode),
        "pending_webhooks": \(pendingWebhooks),
        "request": \(request),
        "type": \(quoted(type))
      }
      """
  }

  /// The event as the API shows it: the snapshot in the version that was in force when it happened.
  func fields() -> Fields {
    (try? JSONValue(parsing: body(version: merchantVersion)))?.asObject ?? Fields([])
  }

  private func quoted(_ text: String) -> String { JSONValue.string(text).text() }
}

extension Tenant {
  /// Makes an event of the object as it is now.
  @discardableResult
  func emit(_ type: String, _ kind: Kind, _ id: String) -> String {
    emit(type, Rendering(self, kind, id), previous: nil)
  }

  @discardableResult
  func emit(_ type: String, _ rendering: Rendering, previous: Rendering?) -> String {
    var data: [Shape: String] = [:]
    for shape in Shape.allCases {
      var pairs = fields(["object": .object(rendering[shape])])
      if let previous {
        pairs["previous_attributes"] = .object(Rendering.previousAttributes(previous[shape], rendering[shape]))
      }
      data[shape] = PrettyJSON.text(.object(pairs), indent: 1)
    }
    let event = EventRecord(
      id: world.newID("evt_"), thinID: world.newID("evt_"), serial: world.nextSerial(), type: type, created: now,
      environment: environment, account: account, merchantVersion: merchant.apiVersion, cause: cause,
      objectID: rendering.id, related: RelatedObject(type: rendering.new.text("object"), id: rendering.new.text("id")),
      data: data, pendingWebhooks: 0, allDelivered: true)
    record(event)
    if world.faults.hasTwin(type, account: account, &world.chance) {
      var twin = event
      twin.id = world.newID("evt_")
      twin.thinID = world.newID("evt_")
      twin.serial = world.nextSerial()
      record(twin)
    }
    return event.id
  }

  /// Keeps an event and hands it to the delivery queue.
  func record(_ event: EventRecord) {
    keep(event)
    world.emitted.append((event.id, event.type))
    world.enqueue(event.id, of: self)
  }

  func keep(_ event: EventRecord) {
    eventPositions[event.id] = events.count
    thinPositions[event.thinID] = events.count
    events.append(event)
  }

  func event(_ id: String) -> EventRecord? { eventPositions[id].map { events[$0] } }

  func editEvent(_ id: String, _ change: (inout EventRecord) -> Void) {
    guard let position = eventPositions[id] else { return }
    change(&events[position])
  }
}
