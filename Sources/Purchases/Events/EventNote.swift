import Foundation
import JSON
package import StripeAPI

/// What a person who reads the timeline of a purchase should know of an event, in plain words, where the licenses do not
/// tell it.
package struct EventNote: Hashable {
  package let title: String
  package let detail: String?

  init(_ title: String, _ detail: String? = nil) { (self.title, self.detail) = (title, detail) }

  /// The note on an event; nil for events that need none.
  package init?(on event: StripeEvent, _ snapshot: Snapshot) {
    self.init(EventTable.learning(event.type)?.note, event, snapshot)
  }

  /// Who has moved money of a sale whose merchant of record is Stripe; nil for events that move none.
  package init?(onManaged event: StripeEvent, _ snapshot: Snapshot) {
    self.init(EventTable.learning(event.type)?.managedNote, event, snapshot)
  }

  private init?(_ note: EventRow.Note?, _ event: StripeEvent, _ snapshot: Snapshot) {
    guard let note = note?(event, snapshot) else { return nil }
    self = note
  }

  /// A day as notes write it.
  static func day(_ date: Date) -> String { String(RFC3339.string(from: date).prefix(10)) }
}
