import Foundation
import Identity
import JSON
import LicenseKitAPI
import TestRandom
import StripeAPI
import Testing

@testable import Purchases

@Suite("What is known, what follows from it, and what is left to do")
struct FactTests {
  /// Versions of one object each, as random histories make them.
  static func versions(seeds: Range<UInt64>) -> [[Fact]] {
    seeds.flatMap { seed -> [[Fact]] in
      let history = Generator.history(seed: seed)
      let facts = (history.moments().last?.events ?? []).compactMap { event -> Fact? in
        guard case .learn(let snapshot, _) = event.effect else { return nil }
        // Few different seconds, so that many versions share one.
        return Fact(snapshot, asOf: Date(timeIntervalSince1970: TimeInterval(event.created / 100_000)), source: .event)
      }
      return Dictionary(grouping: facts, by: \.key).values.filter { $0.count > 1 }
    }
  }

  @Test("Joining versions of a fact is commutative, associative and idempotent")
  func join() {
    for versions in Self.versions(seeds: 0..<300) {
      for a in versions {
        #expect(a.joined(with: a) == a)
        for b in versions {
          let both = a.joined(with: b)
          guard both == b.joined(with: a), both.joined(with: a) == both, both.joined(with: b) == both else {
            Issue.record("\(a) and \(b)")
            return
          }
          for c in versions {
            guard both.joined(with: c) == a.joined(with: b.joined(with: c)) else {
              Issue.record("\(a), \(b) and \(c)")
              return
            }
          }
        }
      }
    }
  }

  @Test("A change from year to month within the second of the renewal is asked about, and not taken for older")
  func yearToMonth() throws {
    func fact(_ days: Int64) throws -> Fact {
      guard
        case .learn(let snapshot, _) = try EventFixture.effect(
          "customer.subscription.updated", EventFixture.subscription([EventFixture.item("si_1", days: days)]))
      else { throw CancellationError() }
      return Fact(snapshot, asOf: Date(timeIntervalSince1970: 1), source: .event)
    }
    #expect(try fact(365).joined(with: fact(30)).isContested)
  }

  @Test("Every snapshot is read back from its stored form as it was")
  func stored() throws {
    for versions in Self.versions(seeds: 0..<150) {
      for fact in versions {
        let text = try JSONCoding.encode(fact.snapshot).text()
        #expect(try JSONCoding.decode(Snapshot.self, from: JSONValue(parsing: text)) == fact.snapshot)
      }
    }
  }

  @Test("The same facts give the same decision, in whatever order they were learned")
  func deterministic() {
    for seed in UInt64(0)..<200 {
      let history = Generator.history(seed: seed)
      var run = DeliveryRun(history, moments: history.moments(), .prompt)
      let outcome = run.run()
      var random = SeededRandom(seed: seed)
      for (id, purchase) in outcome.service.purchases {
        let decider = Decider(
          tenant: Tenant(account: "acct_1", livemode: true), mappings: history.offer.mappings,
          pinned: purchase.recorded.pinned,
          now: Date(timeIntervalSince1970: TimeInterval(outcome.stripe.now)))
        let facts = Array(outcome.service.knowledge(of: id).facts.values)
        let once = decider.decide(Knowledge(facts))
        let again = decider.decide(Knowledge((facts + facts.shuffled(using: &random)).shuffled(using: &random)))
        #expect(once == again, "seed \(seed)")
        #expect(Plan(once, recorded: purchase.recorded, now: decider.now).steps.isEmpty, "seed \(seed)")
      }
    }
  }

  @Test("An answer beats every event made before it, and an event of a later second beats the answer")
  func answers() throws {
    func session(_ status: String) throws -> Snapshot {
      .checkoutSession(try .init(["id": "cs_1", "mode": "payment", "status": .string(status), "created": 1]))
    }
    let second = Date(timeIntervalSince1970: 1_000)
    let old = Fact(try session("open"), asOf: second, source: .event)
    let answer = Fact.fetched(try session("complete"), answeredAt: second.addingTimeInterval(0.3), knowing: old)
    #expect(old.joined(with: answer).snapshot == answer.snapshot)
    let later = Fact(try session("expired"), asOf: second.addingTimeInterval(1), source: .event)
    #expect(answer.joined(with: later).snapshot == later.snapshot)
  }

  @Test("Two versions of one second of which neither has come further are settled by asking")
  func contested() throws {
    func subscription(quantity: Int64) throws -> Snapshot {
      let item: JSONValue = [
        "id": "si_1", "quantity": .integer(quantity), "price": ["id": "price_a1", "product": "prod_a"],
      ]
      return .subscription(
        try .init(["id": "sub_1", "status": "active", "items": ["data": [item]], "created": 1]))
    }
    let second = Date(timeIntervalSince1970: 1_000)
    let one = Fact(try subscription(quantity: 1), asOf: second, source: .event)
    let two = Fact(try subscription(quantity: 2), asOf: second, source: .event)
    let decider = Decider(
      tenant: Tenant(account: "acct_1", livemode: true), mappings: Offer().mappings, pinned: [:], now: second)
    #expect(decider.decide(Knowledge([one, two])).questions == [.subscription("sub_1")])
  }
}
