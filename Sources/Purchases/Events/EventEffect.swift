package import StripeAPI

/// What one event does.
package enum EventEffect: Hashable, Sendable {
  /// A new version of an object. `request` says which purchases are looked at.
  case learn(Snapshot, ReconcileRequest)
  /// The app was installed or uninstalled.
  case application(Application)
  /// Kept in the inbox and otherwise without effect; the reason is shown with the event.
  case ignore(String)

  package enum ReconcileRequest: Hashable, Sendable {
    /// The purchase is made if it is not known, and looked at.
    case always
    /// Looked at if it is known. The object alone does not say what was sold, and another event will come that does.
    case ifKnown
    /// Remembered for later decisions; nothing is looked at.
    case none
    /// Remembered, and the buyer's newest purchase is looked at.
    case buyer
  }

  package enum Application: Hashable, Sendable {
    case authorized, deauthorized
    /// What Stripe tells of an installation, perhaps of another app's in the same account.
    case install(AppInstall.Change, AppInstall)

    /// Whether it says that the app was uninstalled.
    package var endsInstallation: Bool {
      switch self {
      case .deauthorized, .install(.deleted, _): true
      case .authorized, .install: false
      }
    }
  }
}
