import JSON

/// What a thin event is about: the object's kind and id. It names only objects that can be fetched.
struct RelatedObject: Sendable {
  let type: String
  let id: String
  /// The address to fetch it at.
  let url: String

  /// Nil without an id, and for kinds that no address shows: an upcoming invoice, a summary of entitlements, the app itself.
  init?(type: String?, id: String?) {
    guard let type, let id, !id.isEmpty, let folder = Self.folders[type] else { return nil }
    self.type = type
    self.id = id
    url = "/v1/\(folder)/\(id)"
  }

  var fields: JSONValue { object(["id": .string(id), "type": .string(type), "url": .string(url)]) }

  private static let folders: [String: String] = [
    "apps.install": "apps/installs", "charge": "charges", "checkout.session": "checkout/sessions",
    "credit_note": "credit_notes", "customer": "customers", "dispute": "disputes", "file": "files",
    "invoice": "invoices", "invoice_payment": "invoice_payments", "payment_intent": "payment_intents",
    "payment_link": "payment_links", "price": "prices", "product": "products", "refund": "refunds",
    "subscription": "subscriptions", "subscription_schedule": "subscription_schedules",
    "test_helpers.test_clock": "test_helpers/test_clocks",
  ]
}

/// An event of API version 2, which names what happened and carries no object (Stripe docs, event destinations: thin
/// events).
enum ThinEvent {
  static func fields(
    id: String, type: String, created: Int64, serial: Int64, environment: Environment, context: String?,
    related: RelatedObject?, snapshot: String?, cause: EventRecord.Cause?
  ) -> Fields {
    record([
      "id": .string(id), "object": "v2.core.event", "type": .string(type),
      // The simulated time has whole seconds: the fraction tells the events of one second apart.
      "created": .string(CalendarTime.rfc3339(created, milliseconds: serial % 1000)),
      "livemode": flag(environment.livemode), "context": str(context), "related_object": related?.fields ?? .null,
      "snapshot_event": str(snapshot),
      "reason": cause.map { cause in
        object([
          "type": "request",
          "request": object(["id": .string(cause.requestID), "idempotency_key": str(cause.idempotencyKey)]),
        ])
      } ?? .null,
    ])
  }
}

extension EventRecord {
  /// The thin event of the same happening.
  var thin: Fields {
    ThinEvent.fields(
      id: thinID, type: "v1." + type, created: created, serial: serial, environment: environment, context: account,
      related: related, snapshot: id, cause: cause)
  }
}

extension Tenant {
  /// The thin event of that id, kept as long as every event.
  func thinEvent(_ id: String) -> Fields? {
    if let position = thinPositions[id] {
      let event = events[position]
      return isRecent(event.created) ? event.thin : nil
    }
    guard let alert = alert(id), isRecent(alert.created) else { return nil }
    return alert.fields
  }

  /// Events are kept for thirty days (Stripe docs, API: events).
  func isRecent(_ created: Int64) -> Bool { created > now - 30 * CalendarTime.day }
}
