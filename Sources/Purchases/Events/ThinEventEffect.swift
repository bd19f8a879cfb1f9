package import StripeAPI

/// What a thin event does, before its object is known.
package enum ThinEventEffect: Hashable, Sendable {
  /// Its object is asked for; with that it is an event like all others.
  case fetch
  /// The app was installed or uninstalled: nothing of it has to be asked for.
  case application(EventEffect.Application)
  /// Something of an installation has changed, by a call that no tenant's credential may make: the list of installations
  /// is read soon.
  case readInstalls
  /// Stripe could not make events: what is missing is looked for in its list.
  case eventSync
  /// Kept in the inbox and otherwise without effect; the reason is shown with the event.
  case ignore(String)
}

extension EventTable {
  package static func effect(of event: ThinEvent) -> ThinEventEffect {
    if isHealthAlert(event.type) { return .eventSync }
    if tellsOfInstall(event.type) { return .readInstalls }
    switch self[event.type]?.rule {
    case .application(let change): return .application(change)
    case .install: return .readInstalls
    case .learn:
      guard event.relatedObject != nil || event.hasSnapshotEvent else {
        return .ignore("The event is about no object that has an id.")
      }
      return .fetch
    case .ignore, nil:
      return .ignore("Events of this type have no effect on licenses, so that the object is not asked for.")
    }
  }

  /// Whether Stripe tells that it could not make events of an account (Stripe docs, "Health alerts"). When the failure is
  /// over, those that were missing may be in its list.
  package static func isHealthAlert(_ type: StripeEventType) -> Bool {
    type.rawValue.hasPrefix("v2.core.health.event_generation_failure.")
  }

  /// Whether a type tells what has become of an installation. One that Stripe may add beside those of the table does, too.
  package static func tellsOfInstall(_ type: StripeEventType) -> Bool { installFamilies.contains(family(type)) }

  private static let installFamilies = Set(
    rows.flatMap { row in
      guard case .install = row.rule else { return [String]() }
      return [row.type, row.formerName].compactMap(\.self).map(family)
    })

  /// A type's name but for its last part.
  private static func family(_ type: StripeEventType) -> String {
    type.rawValue.split(separator: ".", omittingEmptySubsequences: false).dropLast().joined(separator: ".")
  }
}
