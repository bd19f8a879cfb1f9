import Foundation
import Identity
import LicenseKitAPI
import Testing

@testable import Purchases

@Suite("The law of changes made by hand: no event overwrites them")
struct ManualOverrideLawTests {
  private enum Hand: CaseIterable, Sendable { case suspends, revokes }

  @Test("Random histories, a license changed by hand at their end, and everything told again", arguments: Runs.parts)
  func randomHistories(seeds: Range<UInt64>) {
    for seed in seeds where seed % 4 == 1 {
      let history = Generator.history(seed: seed)
      for hand in Hand.allCases where !faults(history, hand, seed: seed).isEmpty {
        let smallest = shrunk(history) { !faults($0, hand, seed: seed).isEmpty }
        Issue.record("seed \(seed), by hand \(hand)\n\(smallest)\n\(faults(smallest, hand, seed: seed))")
        return
      }
    }
  }

  private func faults(_ history: History, _ hand: Hand, seed: UInt64) -> [String] {
    var run = DeliveryRun(history, moments: history.moments(), .wild(seed))
    run.play()
    let untouched = run
    run.inspect()
    guard let (license, before) = usable(run.service).min(by: { $0.key < $1.key }) else { return [] }
    switch hand {
    case .suspends: run.service.kit.suspend(license)
    case .revokes: run.service.kit.revoke(license)
    }
    run.inspect()
    run.tellAgain()
    let outcome = run.finish()
    var faults = outcome.problems
    let unit = before.unit
    for checkpoint in Outcome.checkpoints where outcome.usable[checkpoint]?.units[unit] != nil {
      faults.append("\(unit) works after \(checkpoint / day) days, although it was stopped by hand")
    }
    // And nothing else is touched by it.
    var other = untouched
    other.inspect()
    other.tellAgain()
    var expected = other.finish().usable
    for checkpoint in Outcome.checkpoints {
      expected[checkpoint]?.units[unit] = nil
      var actual = outcome.usable[checkpoint]
      actual?.units[unit] = nil
      if actual != expected[checkpoint] { faults.append("other licenses changed after \(checkpoint / day) days") }
    }
    return faults
  }

  private func usable(_ service: Service) -> [LicenseID: FakeLicenseKit.License] {
    service.licenses.filter { $0.value.status == .active }
  }
}
