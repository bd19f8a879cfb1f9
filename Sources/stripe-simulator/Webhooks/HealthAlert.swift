import JSON

/// Stripe's word that it failed to make an event (Stripe docs, Webhooks: event generation failures). It exists as a thin
/// event alone.
struct HealthAlert: Sendable {
  enum Change: String, Sendable {
    case raised, updated, resolved
  }

  var id: String
  var serial: Int64
  var change: Change
  var created: Int64
  var environment: Environment
  /// The account it is about; nil when Stripe does not say.
  var context: String?
  var data: Fields
  /// Whether the delivery itself carries `data`; fetching the event always shows it.
  var isDataSent: Bool

  var type: String { "v2.core.health.event_generation_failure." + change.rawValue }

  var fields: Fields {
    var fields = bare
    fields["data"] = .object(data)
    return fields
  }

  /// What is signed and sent.
  var body: Fields { isDataSent ? fields : bare }

  private var bare: Fields {
    ThinEvent.fields(
      id: id, type: type, created: created, serial: serial, environment: environment, context: context, related: nil,
      snapshot: nil, cause: nil)
  }
}

extension HealthAlert {
  var saved: Fields {
    record([
      "id": .string(id), "serial": .integer(serial), "change": .string(change.rawValue), "created": .integer(created),
      "context": str(context), "data": .object(data), "data_sent": flag(isDataSent),
    ])
  }

  init?(saved: Fields, environment: Environment) {
    guard let id = saved.text("id"), let change = saved.text("change").flatMap({ Change(rawValue: $0) }) else {
      return nil
    }
    self.init(
      id: id, serial: saved.number("serial") ?? 0, change: change, created: saved.number("created") ?? 0,
      environment: environment, context: saved.text("context"), data: saved.object("data") ?? Fields([]),
      isDataSent: saved.bool("data_sent"))
  }
}

extension Tenant {
  func alert(_ id: String) -> HealthAlert? { alerts.first { $0.id == id } }

  func record(_ alert: HealthAlert) {
    alerts.append(alert)
    world.emitted.append((alert.id, alert.type))
    world.enqueue(alert, of: self)
  }
}
