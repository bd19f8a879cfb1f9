/// Where the router is in its rounds over the tenants, and whom it leaves out for now.
struct RoutingRounds {
  /// The tenant that the round has come to; nil when the next one begins anew.
  private(set) var last: Tenant?
  private var routed = 0
  private var failures: [Tenant: (count: Int, until: ContinuousClock.Instant)] = [:]

  private static let longestPause: Duration = .seconds(60)

  /// - Parameter isFull: there may be more behind these.
  mutating func advance(past tenants: [Tenant], isFull: Bool) {
    last = isFull ? tenants.last : nil
  }

  /// Whether to look again at once: the round is not over, or something was routed in it.
  mutating func goesOn(afterRouting count: Int) -> Bool {
    routed += count
    if last != nil { return true }
    defer { routed = 0 }
    return routed > 0
  }

  func isLeftOut(_ tenant: Tenant, now: ContinuousClock.Instant = .now) -> Bool {
    failures[tenant].map { now < $0.until } ?? false
  }

  mutating func succeeded(_ tenant: Tenant) { failures[tenant] = nil }

  mutating func failed(_ tenant: Tenant, now: ContinuousClock.Instant = .now) {
    let count = (failures[tenant]?.count ?? 0) + 1
    let pause = min(.milliseconds(100 << min(count, 16)), Self.longestPause)
    failures[tenant] = (count, now + pause)
  }
}
