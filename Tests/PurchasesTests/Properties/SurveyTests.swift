import Foundation
import Testing

@testable import Purchases

/// For who changes the engine: not the first failing history only, but the smallest of each kind. `PROPERTY_SURVEY` is how
/// many seeds to look at; each history is told promptly only.
@Suite("A survey of what fails, by kinds", .enabled(if: Survey.count > 0))
struct SurveyTests {
  @Test("Smallest failing histories")
  func survey() {
    var found: [String: (seed: UInt64, text: String, times: Int)] = [:]
    var failing = 0
    for seed in 0..<UInt64(Survey.count) {
      let history = Generator.history(seed: seed)
      let first = Survey.faults(in: history)
      guard !first.isEmpty else { continue }
      failing += 1
      let cause = Survey.invariants(first)
      let smallest = shrunk(history) { !Survey.invariants(Survey.faults(in: $0)).isDisjoint(with: cause) }
      let kinds = smallest.happenings.map(Survey.kind).joined(separator: ", ")
      let faults = Survey.faults(in: smallest)
      let key = kinds + " | " + (Survey.invariants(faults).sorted().first ?? "")
      let times = (found[key]?.times ?? 0) + 1
      let text = found[key]?.text ?? "\(smallest)\n\(faults.prefix(4).joined(separator: "\n"))"
      found[key] = (found[key]?.seed ?? seed, text, times)
    }
    print("\(failing) of \(Survey.count) histories fail, in \(found.count) kinds")
    for (kinds, entry) in found.sorted(by: { ($1.value.times, $0.key) < ($0.value.times, $1.key) }) {
      print("## \(entry.times) × \(kinds), first at seed \(entry.seed)\n\(entry.text)\n")
    }
  }
}

private enum Survey {
  static let count = ProcessInfo.processInfo.environment["PROPERTY_SURVEY"].flatMap { Int($0) } ?? 0

  static func faults(in history: History) -> [String] {
    var run = DeliveryRun(history, moments: history.moments(), .prompt)
    let outcome = run.run()
    return outcome.problems
      + Invariant.allCases.flatMap { invariant in
        invariant.faults(in: outcome, history.offer).map { "\(invariant.rawValue): \($0)" }
      }
  }

  static func invariants(_ faults: [String]) -> Set<String> {
    Set(faults.map { String($0.prefix { $0 != ":" }) })
  }

  static func kind(_ happening: Happening) -> String {
    switch happening.what {
    case .begins(.checkout(let start, _)): "checkout \(start.money)"
    case .begins(.invoice): "invoice"
    case .begins(.subscription(let start, _)):
      "subscription \(start.first)\(start.trial ? " trial" : "")\(start.extra.map { " \($0)" } ?? "")"
    case .changes(let change): change.kind
    }
  }
}
