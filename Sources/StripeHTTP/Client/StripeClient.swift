public import Foundation
public import HTTPTransport

/// Stripe's API, version 1, for a program that reads purchases and writes metadata.
///
/// The client holds what is the same for every merchant; `session(_:budget:)` gives the value that makes calls for one
/// merchant. `Stripe-Version` is always sent, so that neither the developer's nor a merchant's default version decides the
/// shape of answers.
public struct StripeClient: Sendable {
  /// Stripe's own address.
  public static let defaultBaseURL = "https://api.stripe.com"
  /// Where Stripe accepts files (API reference, "Files").
  public static let defaultFilesBaseURL = "https://files.stripe.com"
  /// The version of every call: the first one with the new shape.
  public static let defaultVersion = "2025-03-31.basil"

  let apiBaseURL: String
  let filesBaseURL: String
  let apiVersion: String
  let transport: any HTTPSending
  let userAgent: String
  let policy: RetryPolicy
  let surroundings: Surroundings

  /// - Parameters:
  ///   - apiBaseURL: `https://api.stripe.com`, or a replacement for it.
  ///   - apiVersion: the value of `Stripe-Version`.
  ///   - userAgent: `name/version (url)`; Stripe asks apps to identify themselves.
  ///   - policy: when and how many times a request is sent again.
  ///   - surroundings: clock, sleep and random numbers; replaced in tests.
  public init(
    apiBaseURL: String = StripeClient.defaultBaseURL, apiVersion: String = StripeClient.defaultVersion,
    transport: any HTTPSending, userAgent: String, policy: RetryPolicy = RetryPolicy(),
    surroundings: Surroundings = .real
  ) {
    self.apiBaseURL = apiBaseURL
    // A replacement for Stripe accepts files too.
    filesBaseURL = apiBaseURL == Self.defaultBaseURL ? Self.defaultFilesBaseURL : apiBaseURL
    self.apiVersion = apiVersion
    self.transport = transport
    self.userAgent = userAgent
    self.policy = policy
    self.surroundings = surroundings
  }

  /// Calls for one merchant.
  ///
  /// - Parameter budget: called before each outgoing request, including repetitions and further pages. It may wait for the
  ///   merchant's turn; an error that it throws ends the call.
  public func session(_ credential: StripeCredential, budget: Budget? = nil) -> StripeSession {
    StripeSession(client: self, credential: credential, budget: budget)
  }

  /// A caller's rate limit; see `session(_:budget:)`.
  public typealias Budget = @Sendable () async throws -> Void

  /// What the client needs from the world besides the transport.
  public struct Surroundings: Sendable {
    /// The wall clock, for answers without a `Date`.
    public var now: @Sendable () -> Date
    /// A clock that never goes back, for deadlines.
    public var elapsed: @Sendable () -> Duration
    /// Waits; throws when the task is cancelled.
    public var sleep: @Sendable (Duration) async throws -> Void
    /// 0 to 1, evenly distributed.
    public var random: @Sendable () -> Double

    public init(
      now: @escaping @Sendable () -> Date, elapsed: @escaping @Sendable () -> Duration,
      sleep: @escaping @Sendable (Duration) async throws -> Void, random: @escaping @Sendable () -> Double
    ) {
      self.now = now
      self.elapsed = elapsed
      self.sleep = sleep
      self.random = random
    }

    /// The machine's clocks and generator.
    public static let real = Surroundings(
      now: { Date() }, elapsed: { start.duration(to: .now) }, sleep: { try await Task.sleep(for: $0) },
      random: { Double.random(in: 0...1) })

    private static let start = ContinuousClock.now
  }
}
