import Foundation
import Identity
import Logging
import Redis
import StripeAPI
import TestSupport
import Testing

@testable import StripeIntegration

@Suite("Recent events")
struct RecentEventsTests {
  private static let now = Date(timeIntervalSince1970: 1_800_000_000)

  private let redis: RedisClient
  /// A tenant of this test alone, since all tests share one Redis.
  private let tenant: Tenant

  init() throws {
    let test = try TestRedis.make()
    redis = RedisClient(try RedisConfiguration(url: test.url), logger: Logger(label: "test"))
    tenant = Tenant(account: .init("acct_" + test.keyPrefix.filter(\.isLetter)), livemode: false)
  }

  private func item(_ id: String, age: TimeInterval) throws -> InboxItem {
    let created = Int(Self.now.timeIntervalSince1970 - age)
    let body = #"{"id":"\#(id)","object":"event","livemode":false,"type":"t","created":\#(created)}"#
    return InboxItem(tenant: tenant, envelope: try EventEnvelope(scanning: Array(body.utf8)), body: body)
  }

  private func connected() async throws {
    while (try? await redis.ping()) == nil { await Task.yield() }
  }

  @Test("a repetition is known: in this process at once, in another when it comes late", .timeLimit(.minutes(1)))
  func repetition() async throws {
    try await connected()
    let (here, there) = (RecentEvents(redis: redis), RecentEvents(redis: redis))
    let event = try item("evt_1", age: 2)
    #expect(await !here.isKnown(event, now: Self.now))
    await here.remember(event)
    #expect(await here.isKnown(event, now: Self.now))
    // A young event is nobody's repetition until this process has seen it.
    #expect(await !there.isKnown(event, now: Self.now))
    #expect(await there.isKnown(event, now: Self.now.addingTimeInterval(60)))
    #expect(await !there.isKnown(try item("evt_2", age: 60), now: Self.now))
  }

  @Test("as soon as anything of a tenant has failed, nothing of it is taken as known", .timeLimit(.minutes(1)))
  func invalidate() async throws {
    try await connected()
    let recent = RecentEvents(redis: redis)
    let event = try item("evt_1", age: 60)
    await recent.remember(event)
    #expect(await recent.isKnown(event, now: Self.now))
    await recent.invalidate(tenant)
    #expect(await !recent.isKnown(event, now: Self.now))
  }

  @Test("events that come at the same time are all remembered, with the next event at the latest")
  func together() async throws {
    try await connected()
    let recent = RecentEvents(redis: redis, pause: .zero)
    let events = try (0..<50).map { try item("evt_\($0)", age: 60) }
    await withTaskGroup(of: Void.self) { group in
      for event in events { group.addTask { await recent.remember(event) } }
    }
    // Takes along whatever waits.
    await recent.remember(try item("evt_last", age: 60))
    for event in events { #expect(await recent.isKnown(event, now: Self.now)) }
  }

  @Test("without Redis nothing is known, and nothing stops")
  func without() async throws {
    let recent = RecentEvents(redis: nil)
    let event = try item("evt_1", age: 60)
    await recent.remember(event)
    await recent.invalidate(tenant)
    #expect(await !recent.isKnown(event, now: Self.now))
  }
}
