import Cryptography
import Delivery
import Foundation
import HTTPTransport
import Identity
import JSON
import LicenseKitAPI
import Postgres
import StripeAPI
import TestSupport
import Testing

@testable import StripeIntegration
@testable import Tenancy

@Suite("Deliveries")
struct DeliveryTests {
  @Test("are made again after an error, later and later, and each attempt is in the log")
  func retries() async throws {
    try await PostRoom.open { room in
      try await room.endpoint()
      room.receiver.answer("/hook", 500, 302)
      try await room.sell()
      try await room.deliver()
      #expect(room.receiver.calls.count == 1)
      #expect(try await room.waits(atLeast: 3.9))
      try await room.passTime()
      try await room.deliver()
      #expect(room.receiver.calls.count == 2)
      #expect(try await room.waits(atLeast: 23.9))
      try await room.passTime()
      try await room.deliver()
      let view = try #require(try await room.log().first)
      #expect(view.state == "succeeded" && view.attempts == 3 && view.error == nil)
      #expect(view.log?.map(\.status) == [500, 302, 200])
      #expect(view.log?.allSatisfy { $0.durationMs != nil } == true)
      let ids = Set(room.receiver.calls.compactMap { $0.json?["id"]?.string })
      #expect(ids.count == 1, "every attempt has the notice's id")
      #expect(Set(room.receiver.calls.map(\.body)).count == 1)
      #expect(room.receiver.calls.map { $0.header("LicenseKit-Delivery-Attempt") } == ["1", "2", "3"])
    }
  }

  @Test("that were cut off are made again, and the log says that they were")
  func crash() async throws {
    try await PostRoom.open { room in
      try await room.endpoint()
      try await room.sell()
      let tenant = room.shop.tenant
      let log = try #require(try await room.log().first)
      let (delivery, queue) = (
        MessageDeliveryID(log.id), EndpointQueue(of: tenant, id: try #require(log.endpointID))
      )
      // A worker that dies after it claimed the attempt, before or after the receiver heard of it.
      let claimed = try await room.deliveries.begin(delivery, of: queue)
      #expect(claimed?.number == 1)
      try await room.deliver()
      #expect(room.receiver.calls.isEmpty, "it may still be under way")
      try await room.passTime()
      try await room.deliver()
      let view = try #require(try await room.log().first)
      #expect(view.state == "succeeded")
      #expect(view.log?.map(\.status) == [nil, 200])
      #expect(view.log?.first?.durationMs == nil)
      // The first worker was only slow: what it says now changes nothing but its own entry.
      try await room.deliveries.finish(try #require(claimed), .failed("timeout"), took: .seconds(10))
      #expect(try await room.log().first?.state == "succeeded")
    }
  }

  @Test("are made once however many workers want to, with one entry in the log for each attempt")
  func race() async throws {
    try await PostRoom.open { room in
      try await room.endpoint()
      try await room.sell(quantity: 5)
      let deliveries = try await room.log()
      #expect(deliveries.count == 5)
      let queue = EndpointQueue(of: room.shop.tenant, id: try #require(deliveries.first?.endpointID))
      try await withThrowingTaskGroup(of: Void.self) { group in
        for delivery in deliveries {
          for _ in 0..<6 {
            group.addTask {
              _ = try await room.deliveries.deliver(MessageDeliveryID(delivery.id), to: queue)
            }
          }
        }
        for _ in 0..<4 { group.addTask { try await room.deliver() } }
        try await group.waitForAll()
      }
      #expect(room.receiver.calls.count == 5)
      #expect(try await room.log().allSatisfy { $0.state == "succeeded" && $0.log?.count == 1 })
    }
  }

  @Test("to one endpoint do not wait for another that is away, which is tried with one of them at a time")
  func deadEndpoint() async throws {
    try await PostRoom.open { room in
      try await room.endpoint("/good")
      room.receiver.answerAlways("/dead", 500)
      let dead = try await room.endpoint("/dead").endpoint
      try await room.sell(quantity: 6)
      try await room.deliver()
      #expect(room.receiver.calls(to: "/good").count == 6)
      // However long that took: each claim of it was one attempt.
      let queues = try await room.texts(
        "SELECT failures::text AS text FROM stripe_integration.delivery_lanes WHERE lane_id = '\(unescaped: dead.id.rawValue)'"
      )
      #expect(queues == ["\(room.receiver.calls(to: "/dead").count)"])
      let failing = try #require(try await room.endpoints.endpoint(dead.id.rawValue, of: room.shop.tenant))
      #expect(failing.failingSince != nil && failing.disabledAt == nil)
      // What is new waits with the rest, however often it is put in line.
      try await room.write(
        """
        UPDATE stripe_integration.delivery_lanes
           SET paused_until = now() + interval '1 hour', due_at = now() + interval '1 hour'
         WHERE failures > 0
        """)
      let before = room.receiver.calls(to: "/dead").count
      try await room.refund()
      try await room.deliver()
      #expect(room.receiver.calls(to: "/good").count == 12)
      #expect(room.receiver.calls(to: "/dead").count == before)
      room.receiver.answer("/dead")
      for _ in 0..<3 {
        try await room.passTime()
        try await room.deliver()
      }
      #expect(Set(room.receiver.calls(to: "/dead").map { $0.header("LicenseKit-Delivery-Id") }).count == 12)
      #expect(try await room.endpoints.endpoint(dead.id.rawValue, of: room.shop.tenant)?.failingSince == nil)
    }
  }

  @Test("of one tenant take two places at most, whatever waits for it")
  func fairness() async throws {
    try await PostRoom.open { room in
      for number in 1...5 { try await room.endpoint("/\(number)") }
      try await room.sell()
      let queues = room.deliveries
      #expect(try await queues.claimNext() != nil)
      #expect(try await queues.claimNext() != nil)
      #expect(try await queues.claimNext() == nil)
      let other = Tenant(account: "acct_other", livemode: true)
      try await room.shop.database.transaction(for: other) { transaction in
        try await EndpointQueues.ofVendors.resume(EndpointQueue(of: other, id: "nep_other"), in: transaction)
      }
      #expect(try await queues.claimNext()?.owner == other)
    }
  }

  @Test("stop at an endpoint that has taken nothing for days or is gone; what waits goes out when it is active again")
  func disabled() async throws {
    try await PostRoom.open { room in
      let id = try await room.endpoint().endpoint.id.rawValue
      room.receiver.answerAlways("/hook", 500)
      try await room.sell()
      try await room.deliver()
      try await room.write("UPDATE stripe_integration.notice_endpoints SET failing_since = now() - interval '4 days'")
      try await room.passTime()
      try await room.deliver()
      let disabled = try #require(try await room.endpoints.endpoint(id, of: room.shop.tenant))
      #expect(disabled.disabledReason?.contains("HTTP 500") == true)
      let before = room.receiver.calls.count
      try await room.refund()
      try await room.passTime()
      try await room.deliver()
      #expect(room.receiver.calls.count == before)
      room.receiver.answer("/hook")
      let choices = MessageEndpointChoices(
        url: room.url + "/hook", description: nil, eventTypes: [], includesKey: false, isActive: true)
      let entry = AuditLog.Entry(actor: "test", action: "test", target: id, requestID: nil, detail: nil)
      let again = try await room.endpoints.update(id, choices, of: room.shop.tenant, resumes: true, audit: entry)
      #expect(again?.disabledAt == nil && again?.failingSince == nil)
      try await room.passTime()
      try await room.deliver()
      #expect(Set(room.receiver.calls.compactMap(\.type)) == ["license.issued", "license.revoked"])

      room.receiver.answer("/hook", 410)
      #expect(try await room.replay(.init(state: .succeeded)) == 2)
      try await room.deliver()
      #expect(try await room.endpoints.endpoint(id, of: room.shop.tenant)?.disabledReason == "It answered 410 Gone.")
      #expect(try await room.replay(.init()) == 0)
    }
  }

  @Test("are signed with both secrets while one is being replaced")
  func rotation() async throws {
    try await PostRoom.open { room in
      let made = try await room.endpoint()
      let id = made.endpoint.id.rawValue
      let entry = AuditLog.Entry(actor: "test", action: "test", target: id, requestID: nil, detail: nil)
      let new = try #require(try await room.endpoints.rotate(id, of: room.shop.tenant, overlapHours: 24, audit: entry))
      #expect(new.secret != made.secret && new.endpoint.previousSecretUntil != nil)
      try await room.sell()
      try await room.deliver()
      let call = try #require(room.receiver.calls.first)
      #expect(call.isSigned(with: made.secret) && call.isSigned(with: new.secret))
      try await room.write("UPDATE stripe_integration.notice_endpoints SET previous_secret_until = now()")
      try await room.refund()
      try await room.deliver()
      let last = try #require(room.receiver.calls.last)
      #expect(!last.isSigned(with: made.secret) && last.isSigned(with: new.secret))
      let at = try await room.endpoints.rotate(id, of: room.shop.tenant, overlapHours: 0, audit: entry)
      #expect(at?.endpoint.previousSecretUntil == nil)
    }
  }

  @Test("keep their secrets readable when everything is re-encrypted and the old encryption key is taken away")
  func reencrypts() async throws {
    try await PostRoom.open { room in
      let made = try await room.endpoint()
      let id = made.endpoint.id.rawValue
      let entry = AuditLog.Entry(actor: "test", action: "test", target: id, requestID: nil, detail: nil)
      let new = try #require(try await room.endpoints.rotate(id, of: room.shop.tenant, overlapHours: 24, audit: entry))
      let newEntry = try KeyRing.newEntry(id: "k2")
      let both = MessageEndpointStore(
        database: room.shop.database, keyRing: try KeyRing(parsing: "\(newEntry),\(room.shop.keyEntry)"))
      #expect(try await both.reencrypt(room.shop.tenant) == 1)
      #expect(try await both.reencrypt(room.shop.tenant) == 0)
      let onlyNew = MessageEndpointStore(database: room.shop.database, keyRing: try KeyRing(parsing: newEntry))
      let receiver = try await room.shop.database.transaction(for: room.shop.tenant) { transaction in
        try await onlyNew.receiver(id, of: room.shop.tenant, in: transaction)
      }
      #expect(receiver?.secrets == [new.secret, made.secret])
    }
  }

  @Test("never reach this machine or its network unless the operator allows it")
  func forbiddenAddress() async throws {
    try await PostRoom.open(destinations: .publicOnly()) { room in
      try await room.endpoint()
      try await room.sell()
      try await room.deliver()
      #expect(room.receiver.calls.isEmpty)
      let view = try #require(try await room.log().first)
      #expect(view.state == "pending" && view.error == "address_refused")
    }
  }

  @Test("are replayed one by one, and by filter")
  func replays() async throws {
    try await PostRoom.open { room in
      try await room.endpoint()
      try await room.sell(quantity: 3)
      try await room.deliver()
      #expect(room.receiver.calls.count == 3)
      let first = try #require(try await room.log().last)
      #expect(try await room.replay(id: first.id) == 1)
      try await room.deliver()
      #expect(room.receiver.calls.last?.header("LicenseKit-Delivery-Id") == first.id)
      try await room.write(
        "UPDATE stripe_integration.deliveries SET state = 'failed', finished_at = now() WHERE delivery_id <> '\(unescaped: first.id)'"
      )
      #expect(try await room.replay(.init(state: .failed, createdTo: Date() - 3_600)) == 0)
      #expect(try await room.replay(.init(state: .failed, type: "license.issued")) == 2)
      try await room.deliver()
      #expect(room.receiver.calls.count == 6)
      #expect(try await room.log().allSatisfy { $0.state == "succeeded" })
    }
  }

  @Test("that nothing can bring to their receiver fail after three days, and the purchase says so")
  func givenUp() async throws {
    try await PostRoom.open { room in
      try await room.endpoint()
      room.receiver.answer("/hook", 400)
      try await room.sell()
      try await room.write("UPDATE stripe_integration.deliveries SET series_since = now() - interval '4 days'")
      try await room.deliver()
      #expect(try await room.log().map(\.state) == ["failed"])
      let told = try await room.texts(
        "SELECT title || ' ' || detail AS text FROM stripe_integration.timeline WHERE title LIKE '%could not be told%'")
      #expect(told == ["\(room.url) could not be told of license.issued. HTTP 400"])
      for attempts in 1...20 {
        let wait = try #require(DeliverySchedule.wait(after: attempts, age: 0, spread: .random(in: 0...1)))
        #expect(wait >= 3.9 && wait < 35_000)
      }
      #expect(DeliverySchedule.wait(after: 3, age: 3 * 86_400, spread: 0) == nil)
      #expect(DeliverySchedule.delay(afterFailures: 100, spread: 1) < 4_400)
    }
  }

  @Test("and their messages are removed after 30 days, but not what was replayed lately")
  func retention() async throws {
    try await PostRoom.open { room in
      try await room.endpoint()
      try await room.mail()
      try await room.sell(quantity: 2)
      try await room.passTime()
      try await room.deliver()
      let retention = DeliveryRetention(database: room.shop.database)
      #expect(try await retention.prune() == 0)
      let kept = try #require(try await room.log().first { $0.channel == "endpoint" })
      try await room.write(
        """
        UPDATE stripe_integration.deliveries
           SET created_at   = now() - interval '31 days',
               series_since = CASE WHEN delivery_id = '\(unescaped: kept.id)' THEN now()
                                   ELSE now() - interval '31 days' END
        """)
      try await room.write("UPDATE stripe_integration.notices SET created_at = now() - interval '31 days'")
      #expect(try await retention.prune() == 2)
      #expect(try await room.log().map(\.id) == [kept.id])
      #expect(try await room.messages().count == 1)
      let mailed = try await room.texts("SELECT license_id AS text FROM stripe_integration.mailed_licenses")
      #expect(mailed.isEmpty)
    }
  }

  @Test("go out by themselves while the service runs, and those of a removed endpoint are given up")
  func service() async throws {
    try await PostRoom.open { room in
      let id = try await room.endpoint().endpoint.id.rawValue
      try await room.sell()
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await room.deliveries.run() }
        while try await room.log().first?.state != "succeeded" { try await Task.sleep(for: .milliseconds(20)) }
        group.cancelAll()
        try? await group.waitForAll()
      }
      #expect(room.receiver.calls.count == 1)
      try await room.refund()
      let entry = AuditLog.Entry(actor: "test", action: "test", target: id, requestID: nil, detail: nil)
      #expect(try await room.endpoints.delete(id, of: room.shop.tenant, audit: entry))
      try await room.deliver()
      #expect(room.receiver.calls.count == 1)
      #expect(try await room.log().map(\.state).sorted() == ["cancelled", "succeeded"])
      #expect(try await room.replay(.init()) == 0)
    }
  }
}
