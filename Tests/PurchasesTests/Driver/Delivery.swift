import Identity
import Foundation

@testable import StripeIntegration

/// How the events of a history reach the service, and when it works and dies.
enum Delivery: Hashable, Sendable {
  /// At once and in order; the service looks after each.
  case prompt
  /// All when everything has happened, the last first.
  case backwards
  /// Any order, delays, repetitions, looks and crashes, by seed.
  case wild(UInt64)
}

/// What is usable at one moment: the features by unit.
typealias Usable = [String: [String: Int64]]

struct Outcome {
  var service: Service
  var stripe: StripeModel
  /// By seconds after the end of the history.
  var usable: [Seconds: Usable] = [:]
  var problems: [String] = []

  /// When to look at what is usable.
  static let checkpoints: [Seconds] = [0, 2 * day, 4 * day, 13 * day, 34 * day, 70 * day]
}

struct DeliveryRun {
  private var service: Service
  private var random: SplitMix64
  private let moments: [StripeModel]
  private var position = 0
  private var stripe: StripeModel
  private var delivered: [ModelEvent] = []
  private var pending: [ModelEvent] = []
  private let delivery: Delivery
  private var problems: [String] = []

  init(_ history: History, moments: [StripeModel], _ delivery: Delivery) {
    self.delivery = delivery
    self.moments = moments
    var seed: UInt64 = 0
    if case .wild(let value) = delivery { seed = value }
    random = SplitMix64(seed: seed)
    service = Service(mappings: history.offer.mappings, isIdempotent: delivery == .prompt || seed % 2 == 0)
    stripe = moments[0]
  }

  mutating func run() -> Outcome {
    switch delivery {
    case .prompt:
      while step() {
        while !pending.isEmpty {
          deliver(0)
          work()
        }
      }
    case .backwards:
      while step() {}
      while !pending.isEmpty { deliver(pending.count - 1) }
      stripe.now += 3_600
    case .wild: runWild()
    }
    return finish()
  }

  /// The next thing happens at Stripe.
  private mutating func step() -> Bool {
    guard position + 1 < moments.count else { return false }
    let next = moments[position + 1]
    // What was to be looked at on the way is looked at in time by a prompt service.
    if delivery == .prompt { passTime(until: next.now) }
    pending += next.events[moments[position].events.count...]
    position += 1
    stripe = next
    return true
  }

  private mutating func runWild() {
    while true {
      switch random.below(10) {
      case 0..<3:
        if !step(), pending.isEmpty { return }
      case 3..<6: if !pending.isEmpty { deliver(random.below(pending.count)) }
      case 6: if !delivered.isEmpty { service.deliver(random.pick(delivered)) }
      case 7: service.wake(now: date)
      default:
        guard let purchase = service.waiting.randomElement(using: &random) else { continue }
        let crash =
          random.once(in: 2)
          ? Service.Crash(calls: 1 + random.below(4), isBeforeCall: random.once(in: 2)) : nil
        service.reconcile(purchase, in: stripe, crash: crash)
      }
    }
  }

  private var date: Date { Date(timeIntervalSince1970: TimeInterval(stripe.now)) }

  private mutating func deliver(_ index: Int) {
    let event = pending.remove(at: index)
    delivered.append(event)
    service.deliver(event)
  }

  /// Works until nothing waits.
  private mutating func work() {
    for _ in 0..<50 {
      guard let purchase = service.waiting.first else { return }
      service.reconcile(purchase, in: stripe)
    }
    problems.append("purchases keep asking for another look")
  }

  private mutating func passTime(until end: Seconds) {
    for _ in 0..<50 {
      guard let next = service.nextLook, Seconds(next.timeIntervalSince1970.rounded(.up)) <= end else { break }
      stripe.now = max(stripe.now, Seconds(next.timeIntervalSince1970.rounded(.up)))
      service.wake(now: date)
      work()
      if service.nextLook == next { problems.append("a moment that has passed is still to come: \(next)") }
    }
    stripe.now = max(stripe.now, end)
  }

  private mutating func finish() -> Outcome {
    let end = (moments.last?.now ?? 0) + 3_600
    stripe.now = end
    service.wake(now: date)
    work()
    var outcome = Outcome(service: service, stripe: stripe)
    for checkpoint in Outcome.checkpoints {
      passTime(until: end + checkpoint)
      outcome.usable[checkpoint] = usable()
      if checkpoint == 0 {
        outcome.service = service
        outcome.stripe = stripe
      }
    }
    problems += service.problems
    problems += service.kit.refusals.map { "refused: \($0)" }
    problems += twins()
    outcome.problems = problems
    return outcome
  }

  private func usable() -> Usable {
    var result: Usable = [:]
    for license in service.kit.licenses.values where license.isUsable(at: date) {
      result[license.unit.description] = Dictionary(
        uniqueKeysWithValues: license.features.map { ($0.key.rawValue, $0.value ?? -1) })
    }
    return result
  }

  /// Two licenses of one unit, neither of them revoked.
  private func twins() -> [String] {
    var seen: Set<UnitKey> = []
    return service.kit.licenses.values.filter { $0.status != .revoked }
      .compactMap { seen.insert($0.unit).inserted ? nil : "two licenses of \($0.unit) are not revoked" }
  }
}
