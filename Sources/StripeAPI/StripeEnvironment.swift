/// Where an account and its data are at Stripe. Each environment has its own installation of the app, credentials and webhook
/// endpoints (Stripe Apps docs, "Sandboxes").
///
/// An account belongs to live and test mode under one id, or to one sandbox only. What Stripe sends about a sandbox says
/// `"livemode": false`, as in test mode. Only the secret that signed it, or the key that is accepted, tells the two apart.
public enum StripeEnvironment: String, Sendable, Hashable, Codable, CaseIterable {
  case live, test, sandbox

  /// The value in Stripe's objects and events.
  public var livemode: Bool { self == .live }

  /// The environments whose objects and events have this mode.
  public static func all(livemode: Bool) -> Set<StripeEnvironment> {
    Set(allCases.filter { $0.livemode == livemode })
  }

  /// The environment that is meant if only the mode is known.
  public init(livemode: Bool) { self = livemode ? .live : .test }
}
