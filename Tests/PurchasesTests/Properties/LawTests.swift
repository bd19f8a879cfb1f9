import Foundation
import Testing

@testable import Purchases

@Suite("The law: any order, any repetition, any split over crashes ends in the same licenses")
struct LawTests {
  @Test("Random histories", arguments: Runs.parts)
  func randomHistories(seeds: Range<UInt64>) {
    func fails(_ history: History, _ seed: UInt64) -> Bool { !Self.faults(in: history, seed: seed).isEmpty }
    guard let seed = seeds.first(where: { fails(Generator.history(seed: $0), $0) }) else { return }
    let smallest = shrunk(Generator.history(seed: seed)) { Runs.shrinks && fails($0, seed) }
    let faults = Self.faults(in: smallest, seed: seed)
    Issue.record("seed \(seed)\n\(smallest)\n\(faults.prefix(20).joined(separator: "\n"))")
  }

  /// Everything that is wrong with how a history ends, told several ways.
  static func faults(in history: History, seed: UInt64) -> [String] {
    let moments = history.moments()
    var faults: [String] = []
    var expected: [Seconds: Usable]?
    var first: [String] = []
    for delivery in deliveries(seed) {
      var run = DeliveryRun(history, moments: moments, delivery)
      let outcome = run.run()
      faults += outcome.problems.map { "\(delivery): \($0)" }
      let wrong = Invariant.allCases.flatMap { invariant in
        invariant.faults(in: outcome, history.offer).map { "\(delivery): \(invariant.rawValue): \($0)" }
      }
      faults += wrong + (wrong.isEmpty ? [] : outcome.service.story)
      guard let expected else {
        (expected, first) = (outcome.usable, outcome.service.story)
        continue
      }
      let isSame = Outcome.checkpoints.allSatisfy { expected[$0]?.licenses == outcome.usable[$0]?.licenses }
      if !isSame { faults += ["\(delivery):"] + outcome.service.story + ["told promptly:"] + first }
      for checkpoint in Outcome.checkpoints
      where expected[checkpoint]?.licenses != outcome.usable[checkpoint]?.licenses {
        faults.append(
          "\(delivery): after \(checkpoint / day) days usable \(text(outcome.usable[checkpoint])), told promptly \(text(expected[checkpoint]))"
        )
      }
    }
    return faults
  }

  /// The first is what all others must come to.
  private static func deliveries(_ seed: UInt64) -> [Delivery] {
    let ways: [Delivery] = [
      .prompt, .backwards, .wild(seed &* 2 &+ 1), .lossy(seed &* 2 &+ 2), .troubled(seed &* 3 &+ 3),
    ]
    return seed % 4 == 0 ? ways + [.dying(isBeforeCall: true), .dying(isBeforeCall: false)] : ways
  }

  private static func text(_ usable: Usable?) -> String {
    (usable?.licenses ?? [:]).sorted { $0.key < $1.key }.map { "\($0.value.count) × \($0.key) \($0.value)" }
      .joined(separator: ", ")
  }
}
