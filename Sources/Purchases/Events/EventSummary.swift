package import StripeAPI

/// What an event told, in plain words, for the timeline of its purchase.
package enum EventSummary {
  /// "Stripe says: invoice in_1 was paid (invoice.paid, evt_1)."
  package static func title(_ event: StripeEvent, _ snapshot: Snapshot) -> String {
    "Stripe says: \(snapshot.noun) \(phrase(event.type)) (\(event.type), \(event.id))."
  }

  /// What the event's object is like, and whether anything in it is news.
  package static func detail(_ snapshot: Snapshot, isNews: Bool) -> String? {
    let state = snapshot.state.map { "Then \($0)." }
    guard !isNews else { return state }
    return [state, "Nothing new: this much was known."].compactMap { $0 }.joined(separator: " ")
  }

  private static func phrase(_ type: StripeEventType) -> String {
    EventTable.learning(type)?.phrase
      ?? "has news: " + type.rawValue.split(separator: ".").suffix(1).joined().replacing("_", with: " ")
  }
}
