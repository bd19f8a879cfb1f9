import Purchases
import StripeAPI

/// The effect of a thin event, before its object is known.
enum ThinEventEffect: Hashable {
  /// Its object is asked for; with the object it is an event like all others.
  case fetch
  /// The app was installed or uninstalled: nothing has to be asked for.
  case application(EventEffect.Application)
  /// An installation was changed by a call that no tenant's credential may make, so the list of installations is read soon.
  case readInstalls
  /// Stripe could not create events: event sync looks for what is missing.
  case sweep
  /// The event is stored in the inbox and has no other effect; the reason is shown with the event.
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

  /// Whether Stripe reports that it could not create events of an account (Stripe docs, "Health alerts"). When the failure is
  /// over, the missing events may be in Stripe's list.
  static func isHealthAlert(_ type: StripeEventType) -> Bool {
    type.rawValue.hasPrefix("v2.core.health.event_generation_failure.")
  }
}
