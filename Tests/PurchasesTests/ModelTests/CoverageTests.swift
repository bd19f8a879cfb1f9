import Foundation
import StripeAPI
import Testing

@testable import Purchases

@Suite("Random histories contain everything that happens at Stripe")
struct CoverageTests {
  /// How often each kind of change took effect in the histories that every run looks at.
  private static let effects: [String: Int] = {
    var effects: [String: Int] = [:]
    for seed in UInt64(0)..<3_000 {
      let history = Generator.history(seed: seed)
      let moments = history.moments()
      for (index, happening) in history.happenings.enumerated() {
        guard case .changes(let change) = happening.what, moments[index + 1].differs(from: moments[index]) else {
          continue
        }
        effects[change.kind, default: 0] += 1
      }
    }
    return effects
  }()

  @Test("Every kind of change takes effect in at least three of the first 3000 histories", arguments: Change.kinds)
  func everyKind(kind: String) { #expect(Self.effects[kind, default: 0] >= 3) }

  @Test("No kind of change is missing in the list of all")
  func listIsWhole() { #expect(Set(Self.effects.keys).subtracting(Change.kinds).isEmpty) }

  @Test("Every way to begin is among them")
  func beginnings() {
    var ways: Set<String> = []
    for seed in UInt64(0)..<600 {
      for case .begins(let beginning) in Generator.history(seed: seed).happenings.map(\.what) {
        switch beginning {
        case .checkout(let start, _): ways.insert("checkout \(start.money)")
        case .invoice: ways.insert("invoice")
        case .subscription(let start, _):
          ways.insert("subscription \(start.first)")
          if start.trial { ways.insert("trial") }
          if !start.beside.isEmpty { ways.insert("billed together") }
          if let extra = start.extra { ways.insert("\(extra)\(start.trial ? " in a trial" : "")") }
        }
      }
    }
    let wanted: Set = [
      "checkout card", "checkout delayed", "checkout held", "invoice", "subscription paid", "subscription incomplete",
      "subscription underWay", "subscription sent", "trial", "billed together", "setupFee", "addOn",
      "setupFee in a trial",
      "addOn in a trial",
    ]
    #expect(wanted.subtracting(ways).isEmpty)
  }

  @Test("A history is the same each time, and every part of it is a history")
  func parts() {
    for seed in UInt64(0)..<300 {
      let history = Generator.history(seed: seed)
      #expect(history == Generator.history(seed: seed))
      for index in history.happenings.indices {
        var part = history
        part.happenings.remove(at: index)
        #expect(part.moments().count == part.happenings.count + 1)
      }
    }
  }

  @Test("A history reads as sentences")
  func readable() {
    var history = History()
    history.happenings = [
      Happening(
        after: 0, purchase: 0,
        what: .begins(.subscription(SubscriptionStart(first: .underWay), [Wish(price: "price_a1", quantity: 2)]))),
      Happening(after: 3 * day, purchase: 0, what: .changes(.setPrice(item: 0, "price_b1", billing: .atOnceFails))),
    ]
    #expect(history.description.contains("in the same second, purchase 0: subscription (underWay) to 2 × price_a1"))
    #expect(
      history.description.contains("3 days later, purchase 0: setPrice(item: 0, \"price_b1\", billing: atOnceFails"))
  }
}
