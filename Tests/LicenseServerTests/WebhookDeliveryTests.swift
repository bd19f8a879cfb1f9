import Delivery
import Foundation
import HTTPTransport
import JSON
import LicenseKitAPI
import Logging
import Postgres
import ServerKit
import ServiceLifecycle
import TestSupport
import Testing

@testable import LicenseServer

@Suite("Outgoing webhooks")
struct WebhookDeliveryTests {
  @Test("an event arrives as the contract's event with the id of its delivery, and its headers prove it")
  func arrives() async throws {
    try await WebhookBench.open { bench in
      let endpoint = try await bench.endpoint()
      try await bench.product()
      try await bench.work()
      let call = try #require(bench.receiver.calls.first)
      #expect(bench.receiver.calls.count == 1 && call.path == "/hook")
      let event = try #require(
        try await bench.fixture.send("GET", "/api/v1/events?event_type=product.created").data?[0])
      var expected = try #require(event.object)
      expected["delivery_id"] = .string(call.header("X-Locksmith-Delivery-ID"))
      #expect(call.json == .object(expected))
      #expect(call.header("X-Locksmith-Event-Sequence") == event["sequence"]?.integer.map(String.init))
      #expect(call.header("X-Locksmith-Event-Type") == "product.created")
      #expect(call.header("Content-Type") == "application/json")
      let now = bench.fixture.clock.now
      #expect(call.isSigned(with: endpoint.secret, at: now) && !call.isSigned(with: "lkw_other", at: now))
      let delivery = try await bench.onlyDelivery(of: endpoint.id)
      #expect(
        delivery.object?.keys == [
          "id", "webhook_id", "event_sequence", "event_type", "status", "attempts", "status_code", "created_at",
          "finished_at", "log",
        ])
      #expect(delivery["status"] == "delivered" && delivery["attempts"] == 1 && delivery["status_code"] == 200)
      #expect(delivery["id"]?.string == call.header("X-Locksmith-Delivery-ID"))
      #expect(delivery["log"]?.array?.count == 1 && delivery["log"]?[0]?["duration_ms"] != nil)
      let webhook = try await bench.fixture.send("GET", "/api/v1/webhooks/\(endpoint.id)")
      #expect(webhook.data?["last_delivery_at"] != nil)
    }
  }

  @Test("an endpoint hears of the types that it asked for, of all when it named none, and of none while it is inactive")
  func matching() async throws {
    try await WebhookBench.open { bench in
      _ = try await bench.endpoint("/some", types: [.policyCreated])
      _ = try await bench.endpoint("/all", types: [])
      let inactive = try await bench.endpoint("/inactive", types: [])
      _ = try await bench.fixture.send("PATCH", "/api/v1/webhooks/\(inactive.id)", #"{"is_active":false}"#)
      try await bench.work()
      let before = bench.receiver.calls(to: "/all").count
      _ = try await bench.fixture.admin.makeCatalog()
      try await bench.work()
      func types(_ path: String) -> [String?] { bench.receiver.calls(to: path).map { $0.json?["event_type"]?.string } }
      #expect(types("/some") == ["policy.created"])
      let all = types("/all").dropFirst(before)
      #expect(all.count == 3 && Set(all) == ["product.created", "policy.created", "feature.created"])
      #expect(types("/inactive").isEmpty)
    }
  }

  @Test("what fails is tried again, later each time, and its log has each attempt")
  func retries() async throws {
    try await WebhookBench.open { bench in
      let endpoint = try await bench.endpoint()
      bench.receiver.answer("/hook", 500, 302)
      try await bench.product()
      try await bench.work()
      try await bench.deliver()
      #expect(bench.receiver.calls.count == 1, "not again at once")
      let waiting = try await bench.onlyDelivery(of: endpoint.id)
      #expect(waiting["status"] == "pending" && waiting["next_attempt_at"] != nil)
      #expect(waiting["error"] == "HTTP 500" && waiting["status_code"] == 500)
      try await bench.passTime()
      try await bench.deliver()
      #expect(bench.receiver.calls(to: "/elsewhere").isEmpty, "redirects are not followed")
      try await bench.passTime()
      try await bench.deliver()
      let delivery = try await bench.onlyDelivery(of: endpoint.id)
      #expect(delivery["status"] == "delivered" && delivery["error"] == nil)
      #expect(delivery["log"]?.array?.map { $0["status_code"]?.integer } == [500, 302, 200])
      let calls = bench.receiver.calls
      #expect(Set(calls.map { $0.header("X-Locksmith-Delivery-ID") }).count == 1)
      #expect(Set(calls.map(\.body)).count == 1, "the same bytes each time")
    }
  }

  @Test("a receiver that is away for too long has its deliveries given up, those that never had their turn included")
  func givenUp() async throws {
    try await WebhookBench.open { bench in
      let endpoint = try await bench.endpoint()
      bench.receiver.answerAlways("/hook", 503)
      for _ in 0..<3 { try await bench.product() }
      try await bench.work()
      #expect(bench.receiver.calls.count == 1, "one goes ahead")
      try await bench.sql("UPDATE license_server.webhook_deliveries SET series_since = now() - interval '4 days'")
      try await bench.passTime()
      try await bench.deliver()
      #expect(bench.receiver.calls.count == 2)
      let states = try await bench.deliveries(of: endpoint.id).map { $0["status"]?.string }
      #expect(states == ["failed", "failed", "failed"])
    }
  }

  @Test("a dead endpoint and one that hangs hold up nobody else, and first attempts keep the order of events")
  func fairness() async throws {
    try await WebhookBench.open { bench in
      _ = try await bench.endpoint("/dead")
      _ = try await bench.endpoint("/well")
      bench.receiver.answerAlways("/dead", 500)
      for number in 1...30 { try await bench.product("P\(number)") }
      try await bench.work()
      // Not all thirty: one goes ahead, and on a busy machine its retry.
      #expect((1...3).contains(bench.receiver.calls(to: "/dead").count))
      let sequences = bench.receiver.calls(to: "/well").compactMap { $0.json?["sequence"]?.integer }
      #expect(sequences.count == 30 && Set(sequences).count == 30)
      #expect(sequences.first == sequences.min(), "the oldest goes ahead")
    }
  }

  @Test("a worker that dies in an attempt leaves an entry that says so, and the delivery is made after its claim")
  func crash() async throws {
    try await WebhookBench.open { bench in
      let endpoint = try await bench.endpoint()
      try await bench.product()
      try await bench.link()
      let dispatcher = bench.dispatcher()
      let queue = try #require(try await dispatcher.claimNext())
      let due = try await dispatcher.due(queue)
      let begun = try await dispatcher.begin(due[0], of: queue)
      #expect(begun?.number == 1)
      // Nothing more comes from that worker.
      #expect(try await dispatcher.claimNext() == nil, "the endpoint is still the other's")
      #expect(try await dispatcher.deliver(due[0], to: queue) == nil, "and so is the attempt")
      try await bench.sql("UPDATE license_server.webhook_lanes      SET claimed_until = now()")
      try await bench.sql("UPDATE license_server.webhook_deliveries SET claimed_until = now()")
      try await bench.deliver()
      let delivery = try await bench.onlyDelivery(of: endpoint.id)
      #expect(delivery["status"] == "delivered" && delivery["attempts"] == 2)
      #expect(delivery["log"]?[0]?["duration_ms"] == nil && delivery["log"]?[1]?["status_code"] == 200)
    }
  }

  @Test("one claim of one endpoint's queue at a time, over any number of workers, and four endpoints of a tenant")
  func queues() async throws {
    try await WebhookBench.open { bench in
      for number in 1...6 { _ = try await bench.endpoint("/\(number)") }
      try await bench.product()
      try await bench.link()
      let queues = bench.dispatcher()
      let claimed = try await withThrowingTaskGroup(of: EndpointQueue<TenantID>?.self) { group in
        for _ in 0..<12 { group.addTask { try await queues.claimNext() } }
        return try await group.reduce(into: [EndpointQueue<TenantID>]()) { if let queue = $1 { $0.append(queue) } }
      }
      #expect(!claimed.isEmpty && Set(claimed).count == claimed.count)
      try await bench.sql("UPDATE license_server.webhook_lanes SET claimed_until = '-infinity'")
      for _ in 0..<EndpointQueues<TenantID>.mostAtOnce { #expect(try await queues.claimNext() != nil) }
      #expect(try await queues.claimNext() == nil)
      let backlog = BacklogMetrics(store: bench.services.store, interval: .seconds(1), logger: Fixture.logger)
      let (unlinked, late) = try await backlog.backlog()
      #expect(unlinked == 0 && late > 0)
    }
  }

  @Test("an address in this service's own network is refused when it is connected to, whatever was stored")
  func privateNetwork() async throws {
    try await WebhookBench.open { bench in
      let endpoint = try await bench.endpoint()
      try await bench.product()
      try await bench.link()
      try await bench.deliver(.publicOnly())
      #expect(bench.receiver.calls.isEmpty)
      let delivery = try await bench.onlyDelivery(of: endpoint.id)
      #expect(delivery["status"] == "pending" && delivery["error"] == "address_refused")
    }
  }

  @Test("while a secret is replaced both sign, for a day")
  func rotation() async throws {
    try await WebhookBench.open { bench in
      let endpoint = try await bench.endpoint()
      let rotated = try await bench.fixture.send(
        "PATCH", "/api/v1/webhooks/\(endpoint.id)", #"{"rotate_secret":true}"#)
      let new = try #require(rotated.data?["secret"]?.string)
      let now = bench.fixture.clock.now
      try await bench.product()
      try await bench.work()
      let first = try #require(bench.receiver.calls.last)
      #expect(first.isSigned(with: new, at: now) && first.isSigned(with: endpoint.secret, at: now))
      try await bench.sql(
        "UPDATE license_server.webhook_endpoints SET former_secret_until = former_secret_until - interval '24 hours'")
      try await bench.product()
      try await bench.work()
      let second = try #require(bench.receiver.calls.last)
      #expect(second.isSigned(with: new, at: now) && !second.isSigned(with: endpoint.secret, at: now))
    }
  }

  @Test("a delivery is replayed with the same id, and a test is sent at once; neither to an endpoint that is inactive")
  func replayAndTest() async throws {
    try await WebhookBench.open { bench in
      let endpoint = try await bench.endpoint()
      try await bench.product()
      try await bench.work()
      let id = try #require(try await bench.onlyDelivery(of: endpoint.id)["id"]?.string)
      let replay = "/api/v1/webhooks/\(endpoint.id)/deliveries/\(id)/replay"
      let reply = try await bench.fixture.send("POST", replay)
      #expect(reply.status == 200 && reply.data?["status"] == "pending" && reply.data?["id"]?.string == id)
      try await bench.deliver()
      #expect(bench.receiver.calls.count == 2)
      #expect(bench.receiver.calls[0].json == bench.receiver.calls[1].json)

      let test = try await bench.fixture.send("POST", "/api/v1/webhooks/\(endpoint.id)/test")
      #expect(test.status == 202 && test.data?["event_type"] == "webhook.test", "\(test.text)")
      try await bench.deliver()
      let call = try #require(bench.receiver.calls.last)
      #expect(call.json?["event_type"] == "webhook.test" && call.json?["resource_id"]?.string == endpoint.id)
      #expect(call.header("X-Locksmith-Event-Sequence") == "0")
      #expect(call.isSigned(with: endpoint.secret, at: bench.fixture.clock.now))

      _ = try await bench.fixture.send("PATCH", "/api/v1/webhooks/\(endpoint.id)", #"{"is_active":false}"#)
      #expect(try await bench.fixture.send("POST", replay).status == 409)
      #expect(try await bench.fixture.send("POST", "/api/v1/webhooks/\(endpoint.id)/test").status == 409)
      let unknown = try await bench.fixture.send("GET", "/api/v1/webhooks/\(endpoint.id)/deliveries/whd_none")
      #expect(unknown.status == 404 && unknown.detail == "delivery")
    }
  }

  @Test("the log is paged from the newest and can be narrowed, and a bad filter is named")
  func log() async throws {
    try await WebhookBench.open { bench in
      let endpoint = try await bench.endpoint(types: [.productCreated, .policyCreated])
      _ = try await bench.fixture.admin.makeCatalog()
      try await bench.product()
      bench.receiver.answer("/hook", 200, 500)
      try await bench.work()
      let path = "/api/v1/webhooks/\(endpoint.id)/deliveries"
      var (seen, cursor) = ([String](), String?.some(""))
      while let last = cursor {
        let page = try await bench.fixture.send("GET", "\(path)?limit=2&cursor=\(last)")
        seen += page.data?.array?.compactMap { $0["event_type"]?.string } ?? []
        cursor = page.json?["page_info"]?["next_cursor"]?.string
      }
      #expect(seen == ["product.created", "policy.created", "product.created"])
      #expect(try await bench.deliveries(of: endpoint.id, "status=pending").count == 1)
      #expect(try await bench.deliveries(of: endpoint.id, "status=delivered").count == 2)
      #expect(try await bench.deliveries(of: endpoint.id, "event_type=product.created").count == 2)
      #expect(try await bench.deliveries(of: endpoint.id, "status=failed&event_type=product.created").isEmpty)
      for (query, field) in [("status=lost", "status"), ("limit=0", "limit"), ("cursor=a&cursor=b", "cursor")] {
        let reply = try await bench.fixture.send("GET", "\(path)?\(query)")
        #expect(reply.status == 400 && reply.detail?.contains(field) == true, "\(reply.text)")
      }
    }
  }

  @Test("what waits for an endpoint stays while it is inactive and goes out when it is active again")
  func holding() async throws {
    try await WebhookBench.open { bench in
      let endpoint = try await bench.endpoint()
      try await bench.product()
      try await bench.link()
      _ = try await bench.fixture.send("PATCH", "/api/v1/webhooks/\(endpoint.id)", #"{"is_active":false}"#)
      try await bench.deliver()
      try await bench.product()
      try await bench.link()
      #expect(bench.receiver.calls.isEmpty)
      _ = try await bench.fixture.send("PATCH", "/api/v1/webhooks/\(endpoint.id)", #"{"is_active":true}"#)
      try await bench.work()
      #expect(bench.receiver.calls.count == 1, "and what happened while it was inactive is not told")
    }
  }

  @Test("another URL takes a failing endpoint up at once")
  func moved() async throws {
    try await WebhookBench.open { bench in
      let endpoint = try await bench.endpoint("/old")
      bench.receiver.answerAlways("/old", 500)
      try await bench.product()
      try await bench.work()
      _ = try await bench.fixture.send("PATCH", "/api/v1/webhooks/\(endpoint.id)", #"{"url":"\#(bench.url)/new"}"#)
      try await bench.deliver()
      #expect(bench.receiver.calls(to: "/new").count == 1)
    }
  }

  @Test("what waits for an endpoint that is removed is given up")
  func removed() async throws {
    try await WebhookBench.open { bench in
      let endpoint = try await bench.endpoint()
      try await bench.product()
      try await bench.link()
      _ = try await bench.fixture.send("DELETE", "/api/v1/webhooks/\(endpoint.id)")
      try await bench.work()
      #expect(bench.receiver.calls.isEmpty)
      let states = try await bench.sql("SELECT state FROM license_server.webhook_deliveries").map { row in
        try row.get("state", as: String.self)
      }
      #expect(states == ["canceled"])
    }
  }

  @Test("an event from before there were webhooks is linked and not told")
  func oldEvents() async throws {
    try await WebhookBench.open { bench in
      _ = try await bench.endpoint(types: [])
      try await bench.work()
      let before = bench.receiver.calls.count
      try await bench.product()
      try await bench.sql("UPDATE license_server.unlinked_events SET is_announced = false")
      try await bench.work()
      #expect(bench.receiver.calls.count == before)
      #expect(try await bench.fixture.server.administration.verifyEvents(of: .defaultTenant).isIntact)
    }
  }

  @Test("an event that is gone is not delivered, and its delivery says so")
  func eventGone() async throws {
    try await WebhookBench.open { bench in
      let endpoint = try await bench.endpoint()
      try await bench.product()
      try await bench.link()
      try await bench.sql("DELETE FROM license_server.events WHERE event_type = 'product.created'")
      try await bench.deliver()
      #expect(try await bench.onlyDelivery(of: endpoint.id)["status"] == "canceled")
    }
  }

  @Test("deliveries older than thirty days go with their attempts, and one that was replayed lately stays")
  func retention() async throws {
    try await WebhookBench.open { bench in
      let endpoint = try await bench.endpoint()
      for _ in 0..<3 { try await bench.product() }
      try await bench.work()
      try await bench.sql("UPDATE license_server.webhook_deliveries SET series_since = now() - interval '31 days'")
      let kept = try #require(try await bench.deliveries(of: endpoint.id)[1]["id"]?.string)
      _ = try await bench.fixture.send("POST", "/api/v1/webhooks/\(endpoint.id)/deliveries/\(kept)/replay")
      let retention = WebhookRetention(
        store: bench.services.store, interval: .seconds(3_600), logger: Fixture.logger)
      #expect(try await retention.prune() == 2)
      #expect(try await bench.deliveries(of: endpoint.id).map { $0["id"]?.string } == [kept])
      let attempts = try await bench.sql("SELECT DISTINCT delivery_id AS id FROM license_server.webhook_attempts")
      #expect(try attempts.map { row in try row.get("id", as: String.self) } == [kept])
    }
  }

  @Test("what was replayed lately is passed by, however much of it there is before what is to go")
  func retentionBehindReplayed() async throws {
    try await WebhookBench.open { bench in
      let endpoint = try await bench.endpoint()
      for _ in 0..<7 { try await bench.product() }
      try await bench.work()
      try await bench.sql(
        """
        UPDATE license_server.webhook_deliveries
           SET created_at = now() - interval '40 days', series_since = now() - interval '31 days'
        """)
      let ids = try await bench.deliveries(of: endpoint.id).compactMap { $0["id"]?.string }.sorted()
      for id in ids.prefix(4) {
        _ = try await bench.fixture.send("POST", "/api/v1/webhooks/\(endpoint.id)/deliveries/\(id)/replay")
      }
      let retention = WebhookRetention(
        store: bench.services.store, interval: .seconds(3_600), logger: Fixture.logger, batch: 2)
      #expect(try await retention.prune() == 3)
      #expect(Set(try await bench.deliveries(of: endpoint.id).compactMap { $0["id"]?.string }) == Set(ids.prefix(4)))
    }
  }

  @Test("the services of a replica bring an event to its endpoint by themselves, and stop when they are told to")
  func services() async throws {
    try await WebhookBench.open { bench in
      _ = try await bench.endpoint()
      let services = bench.fixture.server.backgroundServices(
        transport: bench.fixture.transport, pollInterval: .milliseconds(20))
      let group = ServiceGroup(services: services, logger: Fixture.logger)
      async let running: Void = group.run()
      try await bench.product()
      for _ in 0..<1_000 where bench.receiver.calls.isEmpty { try await Task.sleep(for: .milliseconds(20)) }
      await group.triggerGracefulShutdown()
      try await running
      #expect(bench.receiver.calls.count == 1)
    }
  }
}
