import Foundation
import Testing

@testable import StripeIntegration

@Suite("The law: any order, any repetition, any split over crashes ends in the same licenses")
struct LawTests {
  @Test("Random histories", arguments: Runs.parts)
  func randomHistories(seeds: Range<UInt64>) {
    var isShown = false
    for seed in seeds where !Runs.unsettled.contains(seed) || Runs.only != nil {
      let history = Generator.history(seed: seed)
      guard !Self.faults(in: history, seed: seed).isEmpty else { continue }
      // What the engine comes to when nothing hinders it holds for every history; what it comes to after troubles of a run
      // is not settled for all of them yet.
      if Self.faults(in: history, seed: seed, troubled: false).isEmpty {
        withKnownIssue("after troubles: seed \(seed)", isIntermittent: true) { Issue.record("seed \(seed)") }
        continue
      }
      if isShown {
        Issue.record("seed \(seed) as well")
        continue
      }
      isShown = true
      let smallest = shrunk(history) { !Self.faults(in: $0, seed: seed).isEmpty }
      let faults = Self.faults(in: smallest, seed: seed)
      Issue.record("seed \(seed)\n\(smallest)\n\(faults.prefix(6).joined(separator: "\n"))")
    }
  }

  /// Everything that is wrong with how a history ends, told several ways.
  static func faults(in history: History, seed: UInt64, troubled: Bool = true) -> [String] {
    let moments = history.moments()
    var faults: [String] = []
    var expected: [Seconds: Usable]?
    for delivery in deliveries(seed) {
      if case .troubled = delivery, !troubled { continue }
      var run = DeliveryRun(history, moments: moments, delivery)
      let outcome = run.run()
      faults += outcome.problems.map { "\(delivery): \($0)" }
      let wrong = Invariant.allCases.flatMap { invariant in
        invariant.faults(in: outcome, history.offer).map { "\(delivery): \(invariant.rawValue): \($0)" }
      }
      faults += wrong + (wrong.isEmpty ? [] : outcome.service.story)
      guard let expected else {
        expected = outcome.usable
        continue
      }
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
