import Foundation
import Identity
import TestRandom
import StripeAPI
import Testing

@testable import Purchases

/// Several vendors whose sales go through one service and one LicenseKit at the same time. Stripe's ids of one may be
/// those of another: accounts and modes are numbered alike.
private struct Market: Hashable, CustomStringConvertible {
  static let tenants = [
    Tenant(account: "acct_1", livemode: true), Tenant(account: "acct_1", livemode: false),
    Tenant(account: "acct_2", livemode: true),
  ]

  /// By the places of the tenants above.
  var vendors: [Int: History]

  init(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let count = 2 + random.below(2)
    // Every second market sells the same to all: then all their ids are the same.
    let isUniform = random.once(in: 2)
    vendors = [:]
    for place in 0..<count { vendors[place] = Generator.history(seed: isUniform ? seed : seed &* 31 &+ UInt64(place)) }
  }

  var description: String {
    vendors.sorted { $0.key < $1.key }.map { "\(Self.tenants[$0.key]):\n\($0.value)" }.joined(separator: "\n")
  }
}

@Suite("Many vendors on one service")
struct VendorsTests {
  @Test("Each vendor's buyers have what they would have if the vendor were alone", arguments: Runs.parts)
  func isolation(seeds: Range<UInt64>) {
    // A market is several histories.
    for seed in seeds where seed % 5 == 0 {
      let market = Market(seed: seed)
      guard !faults(in: market, seed: seed).isEmpty else { continue }
      let smallest = shrunk(market) { !faults(in: $0, seed: seed).isEmpty }
      Issue.record("seed \(seed)\n\(smallest)\n\(faults(in: smallest, seed: seed).prefix(6).joined(separator: "\n"))")
      return
    }
  }

  private func faults(in market: Market, seed: UInt64) -> [String] {
    var random = SeededRandom(seed: seed)
    var kit = FakeLicenseKit(isIdempotent: seed % 2 == 0)
    var runs: [Int: DeliveryRun] = [:]
    for (place, history) in market.vendors {
      runs[place] = DeliveryRun(
        history, moments: history.moments(), .lossy(seed &+ UInt64(place)), of: Market.tenants[place])
    }
    var open = runs.keys.sorted()
    while !open.isEmpty {
      let place = random.pick(open)
      with(&kit, &runs[place]) { run in if !run.goOnWildly() { open.removeAll { $0 == place } } }
    }
    var faults: [String] = []
    for (place, history) in market.vendors.sorted(by: { $0.key < $1.key }) {
      let name = Market.tenants[place].description
      with(&kit, &runs[place]) { run in
        run.syncEvents()
        let outcome = run.finish()
        faults += outcome.problems.map { "\(name): \($0)" }
        var alone = DeliveryRun(history, moments: history.moments(), .prompt, of: Market.tenants[place])
        let expected = alone.run().usable
        for checkpoint in Outcome.checkpoints
        where outcome.usable[checkpoint]?.licenses != expected[checkpoint]?.licenses {
          faults.append("\(name): after \(checkpoint / day) days it is not as if the vendor were alone")
        }
      }
    }
    return faults
  }

  /// Lets one vendor's part of the service work with the LicenseKit they share.
  private func with(_ kit: inout FakeLicenseKit, _ run: inout DeliveryRun?, _ body: (inout DeliveryRun) -> Void) {
    guard var one = run else { return }
    one.service.kit = kit
    body(&one)
    kit = one.service.kit
    run = one
  }

  private func shrunk(_ market: Market, while fails: (Market) -> Bool) -> Market {
    var smallest = market
    for place in market.vendors.keys.sorted() {
      var fewer = smallest
      fewer.vendors[place] = nil
      if !fewer.vendors.isEmpty, fails(fewer) { smallest = fewer }
    }
    for place in smallest.vendors.keys.sorted() {
      guard let history = smallest.vendors[place] else { continue }
      smallest.vendors[place] = PurchasesTests.shrunk(history) { candidate in
        var market = smallest
        market.vendors[place] = candidate
        return fails(market)
      }
    }
    return smallest
  }
}
