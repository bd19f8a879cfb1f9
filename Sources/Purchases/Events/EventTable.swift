import Identity
import JSON
package import StripeAPI

/// Every type of event that is known. A type is added by a row here, and by its line in `EventTableTests`.
package enum EventTable {
  /// In the order of `docs/events.md`.
  package static let rows =
    installation + sessions + subscriptions + invoices + charges + refunds + disputes + notices + payments + customers
    + catalogue + ignored

  private static let byName: [StripeEventType: EventRow] = Dictionary(
    rows.flatMap { row in [row.type, row.formerName].compactMap(\.self).map { ($0, row) } },
    uniquingKeysWith: { first, _ in first })

  /// The row of a type, by its present name or a former one.
  package static subscript(_ type: StripeEventType) -> EventRow? { byName[type] }

  /// How a type is ingested whose object becomes a fact; nil for any other.
  package static func learning(_ type: StripeEventType) -> EventRow.Learning? {
    guard case .learn(let learning) = self[type]?.rule else { return nil }
    return learning
  }

  // MARK: Event sync

  /// The types that event sync lists, call by call: those whose objects are learned. What tells of the installation is of
  /// no use then: an app that may read events is installed.
  package static let syncCalls: [[StripeEventType]] = EventRow.SyncCall.allCases.map { call in
    rows.map(\.type).filter { learning($0)?.sync == call }
  }

  // MARK: Effects

  /// Works out the effect of an event.
  /// - Parameter settings: what the vendor has chosen for the whole account.
  /// - Throws: `StripeObjectError` when the event's object lacks what a decision needs.
  package static func effect(
    of event: StripeEvent, settings: TenantSettings = .init()
  ) throws(StripeObjectError) -> EventEffect {
    if isOwnWrite(event) { return .ignore("Only the ids written by this service have changed.") }
    guard let row = self[event.type] else { return .ignore("This event type has no effect on licenses.") }
    do { return try row.effect(of: event, settings) } catch {
      // Nothing can be learned of what has no id, and no other attempt will find one. Disputes of old versions have none
      // and are read by their charge.
      guard event.objectID == nil else { throw error }
      return .ignore("The event is about no object that has an id.")
    }
  }

  /// The metadata that this service writes.
  private static let written: Set = ["licensekit_customer_id", "licensekit_order_id", "licensekit_license_id"]

  /// Writing ids back to Stripe comes back as an event. It is known by what changed: metadata keys of this service and
  /// nothing else.
  private static func isOwnWrite(_ event: StripeEvent) -> Bool {
    guard let previous = event.previousAttributes, previous.keys.allSatisfy({ $0 == "metadata" || $0 == "updated" }),
      let metadata = previous["metadata"]
    else { return false }
    let changed = metadata.object?.keys ?? []
    let own = (event.object["metadata"]?.object?.keys ?? []).filter(written.contains)
    return changed.allSatisfy(written.contains) && !(own.isEmpty && changed.isEmpty)
  }
}
