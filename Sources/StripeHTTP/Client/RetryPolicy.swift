public import HTTPTransport
public import StripeAPI

/// When a failed request is sent again, as a pure function (Stripe docs, "Advanced error handling", and the behaviour of
/// Stripe's own libraries).
public struct RetryPolicy: Hashable, Sendable {
  /// How many times a request is sent again.
  public var maximumRetries: Int
  /// The pause before the first repetition; it doubles with each one.
  public var firstBackoff: Duration
  /// The longest pause of the doubling.
  public var longestBackoff: Duration
  /// The longest a whole call may take, including pauses and waiting for the budget.
  public var deadline: Duration
  /// The longest a single attempt may take.
  public var attemptDeadline: Duration

  public init(
    maximumRetries: Int = 2, firstBackoff: Duration = .milliseconds(500), longestBackoff: Duration = .seconds(5),
    deadline: Duration = .seconds(60), attemptDeadline: Duration = .seconds(20)
  ) {
    self.maximumRetries = maximumRetries
    self.firstBackoff = firstBackoff
    self.longestBackoff = longestBackoff
    self.deadline = deadline
    self.attemptDeadline = attemptDeadline
  }

  /// The result of one attempt, as far as it matters for repeating.
  public struct Outcome: Hashable, Sendable {
    /// What the error alone suggests.
    public var retry: RetryClass
    /// `Stripe-Should-Retry`: Stripe's own word, which overrides everything else.
    public var shouldRetry: Bool?
    /// `Retry-After`.
    public var retryAfter: Duration?

    public init(retry: RetryClass, shouldRetry: Bool? = nil, retryAfter: Duration? = nil) {
      self.retry = retry
      self.shouldRetry = shouldRetry
      self.retryAfter = retryAfter
    }

    /// Reads the two headers of an answer that failed with `error`.
    public init(_ error: StripeError, headers: HTTPHeaderList) {
      let word: Bool? =
        switch headers["Stripe-Should-Retry"] {
        case "true": true
        case "false": false
        default: nil
        }
      self.init(
        retry: error.retry, shouldRetry: word, retryAfter: RetryAfter.duration(headers))
    }
  }

  public enum Decision: Hashable, Sendable {
    case giveUp
    case sendAgain(after: Duration)
  }

  /// Decides after an attempt that failed.
  ///
  /// A 429 for the rate is not sent again here: the caller has a queue and can wait better. The pause is half to all of the
  /// doubled one, never less than `firstBackoff` or than what Stripe asks for. A pause that would pass the deadline is not
  /// started.
  ///
  /// - Parameters:
  ///   - retries: how many times the request was sent again so far.
  ///   - elapsed: time since the call began.
  ///   - random: 0 to 1, evenly distributed.
  public func decision(after outcome: Outcome, retries: Int, elapsed: Duration, random: Double) -> Decision {
    guard retries < maximumRetries, outcome.shouldRetry ?? isWorthRepeating(outcome.retry) else { return .giveUp }
    let doubled = min(firstBackoff * (1 << min(retries, 20)), longestBackoff)
    let jittered = max(doubled * (0.5 + 0.5 * min(max(random, 0), 1)), firstBackoff)
    let pause = max(jittered, outcome.retryAfter ?? .zero)
    return elapsed + pause < deadline ? .sendAgain(after: pause) : .giveUp
  }

  private func isWorthRepeating(_ retry: RetryClass) -> Bool {
    switch retry {
    case .retry, .lockTimeout: true
    case .rateLimited, .credential, .permission, .accountGone, .notFound, .invalid, .idempotencyConflict, .cancelled:
      false
    }
  }
}
