import Foundation
import Identity
import TestRandom
import StripeAPI

@testable import Purchases

/// How the events of a history reach the service, and when it works and dies.
enum Delivery: Hashable, Sendable {
  /// At once and in order; the service looks after each.
  case prompt
  /// All when everything has happened, the last first.
  case backwards
  /// Any order, delays, repetitions, looks and crashes, by seed.
  case wild(UInt64)
  /// As wild, and every third event is lost: it is found at the end, when the service reads Stripe's list of events.
  case lossy(UInt64)
  /// As wild, and LicenseKit and Stripe refuse, say what is not so, lose records; leases are lost. In the end the trouble is
  /// over, and every purchase is looked at once more.
  case troubled(UInt64)
  /// As prompt, and the service dies before or after its calls to LicenseKit, one after the other, each time again.
  case dying(isBeforeCall: Bool)
}

/// What is usable at one moment.
struct Usable: Hashable {
  /// The features of each unit.
  var units: [UnitKey: [String: Int64]] = [:]

  /// How many licenses of each LicenseKit product.
  var counts: [String: Int] {
    units.keys.reduce(into: [:]) { counts, unit in counts[unit.product.rawValue, default: 0] += 1 }
  }

  /// The features of every license by LicenseKit product. The line of a unit is left out: an item may have come in the
  /// place of another, and its license goes on under the former's name where that was known.
  var licenses: [String: [String]] {
    units.reduce(into: [String: [String]]()) { licenses, unit in
      let features = unit.value.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
      licenses[unit.key.product.rawValue, default: []].append(features)
    }
    .mapValues { $0.sorted() }
  }
}

struct Outcome {
  var service: Service
  var stripe: StripeModel
  /// By seconds after the end of the history.
  var usable: [Seconds: Usable] = [:]
  var problems: [String] = []

  /// The end of the history.
  var date: Date { Date(timeIntervalSince1970: TimeInterval(stripe.now)) }

  /// When to look at what is usable.
  static let checkpoints: [Seconds] = [0, 2 * day, 4 * day, 13 * day, 34 * day, 70 * day]
}

struct DeliveryRun {
  var service: Service
  private var random: SeededRandom
  private let moments: [StripeModel]
  private var position = 0
  private var stripe: StripeModel
  private var delivered: [ModelEvent] = []
  private var pending: [ModelEvent] = []
  private var lost: [ModelEvent] = []
  private let delivery: Delivery
  private var problems: [String] = []

  init(
    _ history: History, moments: [StripeModel], _ delivery: Delivery,
    of tenant: Tenant = Tenant(account: "acct_1", livemode: true)
  ) {
    self.delivery = delivery
    self.moments = moments
    var seed: UInt64 = 0
    switch delivery {
    case .wild(let value), .lossy(let value), .troubled(let value): seed = value
    case .prompt, .backwards, .dying: break
    }
    random = SeededRandom(seed: seed)
    service = Service(
      tenant: tenant, mappings: history.offer.mappings, isIdempotent: delivery == .prompt || seed % 2 == 0)
    stripe = moments[0]
    if case .troubled = delivery { service.troubles = Troubles(seed: seed) }
  }

  mutating func run() -> Outcome {
    play()
    return finish()
  }

  /// Everything happens and is told.
  mutating func play() {
    switch delivery {
    case .prompt, .dying:
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
    case .troubled:
      runWild()
      endTroubles()
    case .lossy:
      runWild()
      syncEvents()
    }
  }

  /// Everything that was told is told again, last things first.
  mutating func tellAgain() {
    for event in delivered.reversed() {
      service.deliver(event)
      work()
    }
  }

  /// The trouble is over. A person has what failed looked at again, and releases what LicenseKit called revoked and has
  /// no more.
  private mutating func endTroubles() {
    service.troubles = nil
    service.kit.forgetRefusals()
    service.releaseLost()
    service.inspect()
    work()
  }

  /// The service compares its licenses with what LicenseKit has.
  mutating func inspect() {
    service.inspect()
    work()
  }

  /// What was lost stands in Stripe's list, in no order that means anything.
  mutating func syncEvents() {
    pending = lost
    while !pending.isEmpty {
      deliver(random.below(pending.count))
      if random.once(in: 3) { work() }
    }
  }

  /// The next thing happens at Stripe.
  private mutating func step() -> Bool {
    guard position + 1 < moments.count else { return false }
    let next = moments[position + 1]
    // What was to be looked at on the way is looked at in time by a prompt service.
    switch delivery {
    case .prompt, .dying: passTime(until: next.now)
    case .backwards, .wild, .lossy, .troubled: break
    }
    for event in next.events[moments[position].events.count...] {
      if case .lossy = delivery, random.once(in: 3) { lost.append(event) } else { pending.append(event) }
    }
    position += 1
    stripe = next
    return true
  }

  private mutating func runWild() {
    while goOnWildly() {}
  }

  /// One thing happens.
  /// - Returns: false when everything has happened and was told.
  mutating func goOnWildly() -> Bool {
    switch random.below(10) {
    case 0..<3: return step() || !pending.isEmpty
    case 3..<6: if !pending.isEmpty { deliver(random.below(pending.count)) }
    case 6: if !delivered.isEmpty { service.deliver(random.pick(delivered)) }
    case 7:
      service.wake(now: date)
      if let choice = service.troubles?.ofRecords() { service.kit.lose(choice) }
    default:
      guard let purchase = service.waiting.randomElement(using: &random) else { return true }
      let crash =
        random.once(in: 2)
        ? Service.Crash(calls: 1 + random.below(4), isBeforeCall: random.once(in: 2)) : nil
      service.reconcile(purchase, in: stripe, crash: crash)
    }
    return true
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
      if case .dying(let isBeforeCall) = delivery {
        // A run makes one call more than the one before: so it dies at each.
        for calls in 1..<60 where service.waiting.contains(purchase) {
          service.reconcile(purchase, in: stripe, crash: .init(calls: calls, isBeforeCall: isBeforeCall))
        }
      } else {
        service.reconcile(purchase, in: stripe)
      }
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

  mutating func finish() -> Outcome {
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
    problems += lostKeys()
    outcome.problems = problems
    return outcome
  }

  private func usable() -> Usable {
    var result = Usable()
    for license in service.licenses.values where license.isUsable(at: date) {
      result.units[license.unit] = Dictionary(
        uniqueKeysWithValues: license.features.map { ($0.key.rawValue, $0.value ?? -1) })
    }
    return result
  }

  /// Licenses that work, and whose key nobody has.
  private func lostKeys() -> [String] {
    service.licenses.filter { $0.value.isUsable(at: date) && service.keys[$0.key] != $0.value.key }
      .map { "the key of \($0.key), for \($0.value.unit), is lost" }
  }

  /// Two licenses of one unit, neither of them revoked.
  private func twins() -> [String] {
    var seen: Set<UnitKey> = []
    return service.licenses.values.filter { $0.status != .revoked }
      .compactMap { seen.insert($0.unit).inserted ? nil : "two licenses of \($0.unit) are not revoked" }
  }
}
