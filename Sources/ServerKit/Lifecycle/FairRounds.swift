/// A worker's place in its rounds over its clients, and the clients that it leaves out for now. One round serves each client
/// once, so that neither the amount of work nor the failure of one client delays the others.
public struct FairRounds<Client: Hashable & Sendable>: Sendable {
  /// The client that the round has reached; nil if the next round starts from the beginning.
  public private(set) var last: Client?
  private var done = 0
  private var failures: [Client: (count: Int, until: ContinuousClock.Instant)] = [:]

  private static var longestBackoff: Duration { .seconds(60) }

  /// Before the first round.
  public init() {}

  /// - Parameter isFull: whether there may be more clients after these.
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

  /// Whether the client failed recently and its pause is not over.
  public func isLeftOut(_ client: Client, now: ContinuousClock.Instant = .now) -> Bool {
    failures[client].map { now < $0.until } ?? false
  }

  /// Ends the pause that `failed` began.
  public mutating func succeeded(_ client: Client) { failures[client] = nil }

  /// Leaves a client out for a while, longer with each failure in a row, at most a minute.
  public mutating func failed(_ client: Client, now: ContinuousClock.Instant = .now) {
    let count = (failures[client]?.count ?? 0) + 1
    let pause = min(.milliseconds(100 << min(count, 16)), Self.longestBackoff)
    failures[client] = (count, now + pause)
  }
}
