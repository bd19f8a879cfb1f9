import Purchases
import StripeAPI

/// What a thin event does, before its object is known.
enum ThinEventEffect: Hashable {
  /// Its object is asked for; with that it is an event like all others.
  case fetch
  /// The app was installed or uninstalled: nothing of it has to be asked for.
  case application(EventEffect.Application)
  /// Something of an installation has changed, by a call that no tenant's credential may make: the list of installations
  /// is read soon.
  case readInstalls
  /// Stripe could not make events: what is missing is looked for in its list.
  case sweep
  /// Kept in the inbox and otherwise without effect; the reason is shown with the event.
  case ignore(String)
}

enum ThinEventTable {
  static func effect(of event: ThinEvent) -> ThinEventEffect {
    if isHealthAlert(event.type) { return .sweep }
    switch event.type {
    case .accountApplicationAuthorized: return .application(.authorized)
    case .accountApplicationDeauthorized: return .application(.deauthorized)
    default: break
    }
    if event.type.currentName.hasPrefix("apps.install.") { return .readInstalls }
    guard SweptEvents.all.contains(event.type) else {
      return .ignore("Events of this type have no effect on licenses, so that the object is not asked for.")
    }
    guard event.relatedObject != nil || event.hasSnapshotEvent else {
      return .ignore("The event is about no object that has an id.")
    }
    return .fetch
  }

  /// Whether Stripe tells that it could not make events of an account (Stripe docs, "Health alerts"). When the failure is
  /// over, those that were missing may be in its list.
  static func isHealthAlert(_ type: StripeEventType) -> Bool {
    type.rawValue.hasPrefix("v2.core.health.event_generation_failure.")
  }
}
