package import StripeAPI

/// A type of event and everything that is known of it: the router, the timeline, event sync and `docs/events.md` read it
/// from here.
package struct EventRow: Sendable {
  package let type: StripeEventType
  /// The name that an endpoint of an earlier API version gets.
  package var formerName: StripeEventType?
  package let rule: Rule
  /// What `docs/events.md` says of it: what it does, or why it does nothing.
  package let documentation: String

  package enum Rule: Sendable {
    case learn(Learning)
    /// The app was installed or uninstalled, which is all that there is to know.
    case application(EventEffect.Application)
    /// The event's object says what has become of an installation.
    case install(AppInstall.Change)
    /// The reason is shown with the event.
    case ignore(String)
  }

  /// How a type is ingested whose object becomes a fact.
  package struct Learning: Sendable {
    package let object: EventObject
    package let looks: EventEffect.ReconcileRequest
    /// What the object or the vendor's settings make of `looks`; nil leaves it as it is.
    let exception: Exception?
    package let sync: SyncCall
    /// What the timeline says of the object; where it is nil, that it "has news", and the last word of the type.
    package let phrase: String?
    package let note: Note?
    /// On a sale whose merchant of record is Stripe, beside `note`.
    package let managedNote: Note?
  }

  typealias Exception = @Sendable (Snapshot, TenantSettings) -> EventEffect.ReconcileRequest?
  package typealias Note = @Sendable (StripeEvent, Snapshot) -> EventNote?

  /// Which call of event sync lists the type: Stripe takes at most 20 in one (API reference, "List all events": `types`).
  /// What most sales are told by comes first. A type stays in its call, since a sync that is interrupted remembers how far
  /// it came by the number of the call.
  package enum SyncCall: Int, CaseIterable, Sendable { case first, second, third }

  func effect(
    of event: StripeEvent, _ settings: TenantSettings
  ) throws(StripeObjectError) -> EventEffect {
    switch rule {
    case .application(let change): return .application(change)
    case .install(let change): return .application(.install(change, try AppInstall(event.object)))
    case .ignore(let reason): return .ignore(reason)
    case .learn(let learning):
      let snapshot = try learning.object.read(event.object)
      if let reason = learning.object.refusal(snapshot) { return .ignore(reason) }
      return .learn(snapshot, learning.exception?(snapshot, settings) ?? learning.looks)
    }
  }
}

// MARK: How a row is written

extension EventRow {
  static func learn(
    _ type: StripeEventType, _ object: EventObject, looks: EventEffect.ReconcileRequest, exception: Exception? = nil,
    sync: SyncCall, says phrase: String? = nil, note: Note? = nil, managedNote: Note? = nil, does text: String
  ) -> EventRow {
    let learning = Learning(
      object: object, looks: looks, exception: exception, sync: sync, phrase: phrase, note: note,
      managedNote: managedNote)
    return EventRow(type: type, rule: .learn(learning), documentation: text)
  }

  static func application(
    _ type: StripeEventType, _ change: EventEffect.Application, does text: String
  ) -> EventRow { EventRow(type: type, rule: .application(change), documentation: text) }

  static func install(
    _ type: StripeEventType, formerly formerName: StripeEventType, _ change: AppInstall.Change, does text: String
  ) -> EventRow { EventRow(type: type, formerName: formerName, rule: .install(change), documentation: text) }

  static func ignore(_ type: StripeEventType, _ reason: String, why text: String) -> EventRow {
    EventRow(type: type, rule: .ignore(reason), documentation: text)
  }
}
