/// Where a worker is in its rounds over those it works for, and whom it leaves out for now. One round serves each once, so
/// that nobody's mass of work holds up another; trouble with one costs the others nothing.
public struct FairRounds<Client: Hashable & Sendable>: Sendable {
  /// The one that the round has come to; nil when the next one begins anew.
  public private(set) var last: Client?
  private var done = 0
  private var failures: [Client: (count: Int, until: ContinuousClock.Instant)] = [:]

  private static var longestPause: Duration { .seconds(60) }

  /// Before the first round.
  public init() {}

  /// - Parameter isFull: there may be more behind these.
  public mutating func advance(past clients: [Client], isFull: Bool) {
    last = isFull ? clients.last : nil
  }

  /// Whether to look again at once: the round is not over, or something was done in it.
  public mutating func goesOn(afterDoing count: Int) -> Bool {
    done += count
    if last != nil { return true }
    defer { done = 0 }
    return done > 0
  }

  /// Whether it failed lately, and its pause is not over.
  public func isLeftOut(_ client: Client, now: ContinuousClock.Instant = .now) -> Bool {
    failures[client].map { now < $0.until } ?? false
  }

  /// Ends what `failed` began.
  public mutating func succeeded(_ client: Client) { failures[client] = nil }

  /// Leaves it out for a while, longer with each failure in a row, a minute at most.
  public mutating func failed(_ client: Client, now: ContinuousClock.Instant = .now) {
    let count = (failures[client]?.count ?? 0) + 1
    let pause = min(.milliseconds(100 << min(count, 16)), Self.longestPause)
    failures[client] = (count, now + pause)
  }
}
