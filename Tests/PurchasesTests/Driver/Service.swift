import Foundation
import Identity
import JSON
import LicenseKitAPI
import StripeAPI

@testable import StripeIntegration

/// The reconciler's shell without its database: facts, aliases, purchases and their records as values, by the same rules
/// as `EventRouter`, `PurchaseIndex`, `ReconcilerRun` and `StepRunner`.
struct Service {
  struct Purchase {
    var recorded = Recorded()
    var needsLook = true
    var nextLook: Date?
    var decision: Decision?
    /// Its licenses are looked at where they are kept.
    var inspects = false
  }

  /// Stops a run after some calls to LicenseKit, before or after the last of them took place.
  struct Crash {
    var calls: Int
    var isBeforeCall: Bool
  }

  let tenant: Tenant
  let mappings: [Mapping]
  var settings = TenantSettings()
  private(set) var facts: [FactKey: Fact] = [:]
  private(set) var owners: [String: Int] = [:]
  private(set) var purchases: [Int: Purchase] = [:]
  private var customers: [String: LicenseKitAPI.CustomerID] = [:]
  /// The buyers' records as they were written last, by code.
  private(set) var contacts: [String: DesiredCustomer] = [:]
  /// It may serve other vendors as well.
  var kit: FakeLicenseKit
  /// Rules that were broken on the way.
  private(set) var problems: [String] = []
  private(set) var questionsAsked = 0
  /// The fewest licenses that worked at the same time, since the first did.
  private(set) var leastUsable = Int.max

  init(tenant: Tenant = Tenant(account: "acct_1", livemode: true), mappings: [Mapping], isIdempotent: Bool) {
    self.tenant = tenant
    self.mappings = mappings
    kit = FakeLicenseKit(isIdempotent: isIdempotent)
  }

  private struct Crashed: Error {}

  // MARK: Events

  mutating func deliver(_ event: ModelEvent) {
    guard case .learn(let snapshot, let attention) = event.effect else { return }
    let fact = Fact(snapshot, asOf: Date(timeIntervalSince1970: TimeInterval(event.created)), source: .event)
    facts[fact.key] = facts[fact.key].map { $0.joined(with: fact) } ?? fact
    if attention == .buyer {
      let buyer = snapshot.customer
      for (id, purchase) in purchases where purchase.decision?.customer?.stripeCustomer == buyer {
        purchases[id]?.needsLook = true
      }
    }
    guard attention != .none, let purchase = purchase(of: snapshot.aliases, creating: attention == .always) else {
      return
    }
    purchases[purchase]?.needsLook = true
  }

  private mutating func purchase(of aliases: [String], creating: Bool) -> Int? {
    guard !aliases.isEmpty else { return nil }
    let found = Set(aliases.compactMap { owners[$0] }).sorted()
    let kept: Int
    if let first = found.first(where: { !(purchases[$0]?.recorded.units.isEmpty ?? true) }) ?? found.first {
      kept = first
      for merged in found where merged != kept { move(merged, into: kept) }
    } else {
      guard creating else { return nil }
      kept = (purchases.keys.max() ?? 0) + owners.count + 1
      purchases[kept] = Purchase()
      owners["ful_\(kept)"] = kept
    }
    for alias in aliases where owners[alias] == nil { owners[alias] = kept }
    return kept
  }

  private mutating func move(_ merged: Int, into kept: Int) {
    guard let from = purchases.removeValue(forKey: merged), var into = purchases[kept] else { return }
    into.recorded.units.merge(from.recorded.units) { mine, _ in mine }
    into.recorded.agreed.merge(from.recorded.agreed) { mine, _ in mine }
    into.recorded.orders.merge(from.recorded.orders) { mine, _ in mine }
    into.recorded.subscriptions.merge(from.recorded.subscriptions) { mine, _ in mine }
    into.recorded.writeBacks.merge(from.recorded.writeBacks) { mine, _ in mine }
    into.needsLook = true
    purchases[kept] = into
    for (alias, owner) in owners where owner == merged { owners[alias] = kept }
  }

  func knowledge(of purchase: Int) -> Knowledge {
    let own = facts.values.filter { owners[$0.key.subject] == purchase }
    return Knowledge(own + own.flatMap(\.snapshot.shared).compactMap { facts[$0] })
  }

  // MARK: Reconciling

  /// Marks the purchases whose moment has come.
  mutating func wake(now: Date) {
    for (id, purchase) in purchases { if let next = purchase.nextLook, next <= now { purchases[id]?.needsLook = true } }
  }

  var nextLook: Date? { purchases.values.compactMap(\.nextLook).min() }
  var waiting: [Int] { purchases.filter(\.value.needsLook).keys.sorted() }

  /// Looks at one purchase as often as it takes to come to an end, or to a crash.
  mutating func reconcile(_ id: Int, in stripe: StripeModel, crash: Crash? = nil) {
    guard purchases[id] != nil else { return }
    purchases[id]?.needsLook = false
    var crash = crash
    do {
      let now = Date(timeIntervalSince1970: TimeInterval(stripe.now))
      guard let decision = try decide(id, in: stripe, now: now) else { return }
      purchases[id]?.decision = decision
      let planned = try apply(decision, to: id, now: now, crash: &crash)
      purchases[id]?.inspects = false
      if let recorded = purchases[id]?.recorded { purchases[id]?.decision = decision.told(with: recorded, now: now) }
      purchases[id]?.nextLook = [decision.nextLook, planned].compactMap { $0 }.min()
    } catch is Crashed {
      purchases[id]?.needsLook = true
    } catch {
      problems.append("an answer could not be read: \(error)")
    }
  }

  private func decider(_ id: Int, now: Date) -> Decider {
    Decider(
      tenant: tenant, mappings: mappings, agreed: purchases[id]?.recorded.agreed ?? [:], settings: settings, now: now)
  }

  /// - Returns: nil when the purchase turned out to be another one.
  private mutating func decide(_ id: Int, in stripe: StripeModel, now: Date) throws -> Decision? {
    for _ in 0..<12 {
      let knowledge = knowledge(of: id)
      let decision = decider(id, now: now).decide(knowledge)
      if decision.questions.isEmpty { return decision }
      for question in decision.questions {
        questionsAsked += 1
        let answer = try stripe.answer(question)
        // Stripe answers somewhere within the second.
        let fetched = Fact.fetched(
          answer, answeredAt: now.addingTimeInterval(0.4), knowing: facts[answer.key],
          newestKnown: knowledge.newest)
        facts[answer.key] = fetched
        let aliases = answer.aliases.isEmpty ? [] : answer.aliases + ["ful_\(id)"]
        if let owner = purchase(of: aliases, creating: false), owner != id { purchases[owner]?.needsLook = true }
        if purchases[id] == nil { return nil }
      }
    }
    problems.append(
      "the facts of purchase \(id) do not settle: \(decider(id, now: now).decide(knowledge(of: id)).questions)")
    return nil
  }

  private mutating func apply(_ decision: Decision, to id: Int, now: Date, crash: inout Crash?) throws -> Date? {
    guard var recorded = purchases[id]?.recorded else { return nil }
    let sold = Set(decision.lines.filter { !$0.units.isEmpty }.map(\.key.line))
    for line in decision.lines where sold.contains(line.key.line) { recorded.agreed[line.key] = line.agreement }
    if let code = decision.customer?.code, let customer = customers[code] {
      recorded.customers[code] = customer
      recorded.contacts[code] = contacts[code]?.contact
    }
    purchases[id]?.recorded = recorded
    for key in recorded.overtakenReinstatements(by: decision) { recorded.units[key]?.byHand.remove(.reinstated) }
    purchases[id]?.recorded = recorded
    var seen: Set<UnitKey> = []
    for _ in 0..<8 {
      let plan = Plan(decision, recorded: recorded, now: now)
      let unseen = licensesToLookAt(before: plan.steps, recorded, all: purchases[id]?.inspects == true)
        .filter { seen.insert($0).inserted }
      for key in unseen {
        guard let license = recorded.licenseID(key).flatMap({ kit.licenses[$0] }) else { continue }
        _ = recorded.units[key]?.observe(license.seen(at: now), expiresAt: license.expiresAt)
        purchases[id]?.recorded = recorded
      }
      if !unseen.isEmpty { continue }
      if plan.steps.isEmpty { return plan.nextLook }
      for step in plan.steps { try take(step, decision, id, now: now, &recorded, &crash) }
    }
    problems.append("the plan never becomes empty: \(Plan(decision, recorded: recorded, now: now).steps)")
    return nil
  }

  private func licensesToLookAt(before steps: [Step], _ recorded: Recorded, all: Bool) -> [UnitKey] {
    let changed = Set(steps.compactMap(\.changedLicense))
    return recorded.units.keys.sorted().filter { key in
      guard case .issued(_, let status, _, _)? = recorded.units[key]?.license, status != .revoked else { return false }
      return all || changed.contains(key)
    }
  }

  /// The vendor's own.
  var licenses: [LicenseID: FakeLicenseKit.License] { kit.licenses.filter { $0.value.tenant == tenant } }

  // MARK: By hand

  /// A person changes the first license that is not revoked.
  mutating func byHand(_ change: (inout FakeLicenseKit, LicenseID) -> Void) {
    let first = licenses.filter { $0.value.status != .revoked }.keys.min()
    if let first { change(&kit, first) }
  }

  /// A person changes a license that is suspended.
  mutating func byHandSuspended(_ change: (inout FakeLicenseKit, LicenseID) -> Void) {
    if let first = licenses.filter({ $0.value.status == .suspended }).keys.min() { change(&kit, first) }
  }

  /// The next look compares all licenses with what LicenseKit has.
  mutating func inspect() {
    for id in purchases.keys {
      purchases[id]?.inspects = true
      purchases[id]?.needsLook = true
    }
  }

  // MARK: Steps

  private mutating func take(
    _ step: Step, _ decision: Decision, _ id: Int, now: Date, _ recorded: inout Recorded, _ crash: inout Crash?
  ) throws {
    var wasCutOff = false
    if case .issue(let unit, _, let generation) = step {
      wasCutOff = recorded.units[unit.key].map { $0.license == .issuing && $0.generation == generation } ?? false
    }
    recorded.begin(step)
    purchases[id]?.recorded = recorded
    crash?.calls -= 1
    let isLast = crash.map { $0.calls <= 0 } ?? false
    if isLast, crash?.isBeforeCall == true { throw Crashed() }
    let result = call(step, recorded, wasCutOff: wasCutOff, now: now)
    let usable = licenses.values.filter { $0.isUsable(at: now) }.count
    if leastUsable != .max || usable > 0 { leastUsable = min(leastUsable, usable) }
    if isLast { throw Crashed() }
    recorded.apply(step, result)
    purchases[id]?.recorded = recorded
    switch step {
    case .createCustomer(let customer), .updateCustomer(let customer):
      customers[customer.code] = recorded.customers[customer.code]
      contacts[customer.code] = customer
    default: break
    }
  }

  private mutating func call(_ step: Step, _ recorded: Recorded, wasCutOff: Bool, now: Date) -> StepResult {
    switch step {
    case .createCustomer(let customer): return .customer(.init("cst_" + customer.code))
    case .createSubscription(let record): return .subscription(.init("sbr_" + record.externalID))
    case .createOrder(let order): return .order(.init("ord_" + order.externalID))
    case .issue(let unit, let policy, let generation):
      return .license(issue(unit, policy: policy, generation: generation, wasCutOff: wasCutOff))
    case .assignFeature(let key, let grant): if let id = recorded.licenseID(key) { kit.assign(grant, to: id) }
    case .removeFeature(let key, let feature): if let id = recorded.licenseID(key) { kit.remove(feature, from: id) }
    case .renew(let key, let until, _, _): if let id = recorded.licenseID(key) { kit.renew(id, until: until) }
    case .suspend(let key, _): if let id = recorded.licenseID(key) { kit.suspend(id) }
    case .reinstate(let key): if let id = recorded.licenseID(key) { kit.reinstate(id, now: now) }
    case .revoke(let key, _): if let id = recorded.licenseID(key) { kit.revoke(id) }
    case .revokeReplaced(_, let license): kit.revoke(license)
    case .updateCustomer, .updateSubscription, .setOrderStatus, .writeBack: break
    }
    return .done
  }

  /// As `StepRunner` does: the same call again where the body is the same, and else what an attempt left behind is
  /// found by its order or subscription and its name, and revoked.
  private mutating func issue(_ unit: DesiredUnit, policy: PolicyID, generation: Int, wasCutOff: Bool) -> LicenseID {
    let name = "\(tenant)|\(unit.key)/\(generation)"
    let body = "\(name) \(policy) \(String(describing: unit.expiresAt)) \(unit.order ?? "") \(unit.subscription ?? "")"
    let made = kit.create(
      .init(
        name: name, tenant: tenant, unit: unit.key, order: unit.order, subscription: unit.subscription,
        expiresAt: unit.expiresAt),
      key: body)
    guard wasCutOff else { return made }
    for (id, license) in kit.licenses where id != made && license.name == name && license.status != .revoked {
      let isFound =
        unit.subscription != nil ? license.subscription == unit.subscription : license.order == unit.order
      if isFound { kit.revoke(id) }
    }
    return made
  }
}
