/// Where an account and its data live at Stripe. Each has an installation of the app, credentials and webhook endpoints of its
/// own (Stripe Apps docs, "Sandboxes").
///
/// An account belongs to live and test mode at once, under one id, or to a sandbox alone. What Stripe sends of a sandbox says
/// `"livemode": false`, as in test mode: only whose secret signed it, or whose key is accepted, tells the two apart.
public enum StripeEnvironment: String, Sendable, Hashable, Codable, CaseIterable {
  case live, test, sandbox

  /// What Stripe says of its objects and events.
  public var livemode: Bool { self == .live }

  /// Those with objects and events of this mode.
  public static func all(livemode: Bool) -> Set<StripeEnvironment> {
    Set(allCases.filter { $0.livemode == livemode })
  }

  /// The one that is meant where nothing but the mode is known.
  public init(livemode: Bool) { self = livemode ? .live : .test }
}
