/// A webhook endpoint of the developer's account.
struct Endpoint: Sendable {
  /// What an endpoint gets for an event: the object's state, or only which object it is about.
  enum Payload: String, Sendable {
    case snapshot, thin
  }

  var id: String
  var url: String
  /// Newest first; all of them sign while a secret is being replaced.
  var secrets: [String]
  var environment: Environment
  /// Nil: the developer account's default, the newest the simulator knows.
  var apiVersion: APIVersion?
  var payload = Payload.snapshot
  /// Gets events of connected accounts. Without it the endpoint gets only the developer's own events: none here.
  var connect: Bool
  /// A live endpoint that sandboxes reach too.
  var hearsSandbox = false
  var enabledEvents: [String]
  var isEnabled: Bool

  var version: APIVersion { apiVersion ?? .newest }

  /// Whether the endpoint asked for events of this type. Thin events have names of their own, with `v1.` in front.
  func wants(_ type: String) -> Bool {
    enabledEvents.contains("*") || enabledEvents.contains(type)
      || (payload == .thin && enabledEvents.contains("v1." + type))
  }

  /// Whether what happens in that environment can reach this endpoint (Stripe docs, Stripe Apps: build a backend): its own
  /// does; the live one hears test mode too when the app is installed in both, and sandboxes when it is told to.
  func reaches(_ other: Environment, isInstalledLive: Bool) -> Bool {
    switch (environment, other) {
    case (.live, .test): isInstalledLive
    case (.live, .sandbox): hearsSandbox
    default: environment == other
    }
  }
}
