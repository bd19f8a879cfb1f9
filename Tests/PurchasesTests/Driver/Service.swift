import Foundation
import Identity
import JSON
import LicenseKitAPI
import StripeAPI

@testable import Purchases

/// The service without its database: facts, aliases, purchases and their records as values, by the same rules as
/// `EventRouter`, `PurchaseIndex` and `RunTransaction`. Its runs are those that ship (`InMemoryRun.swift`).
struct Service {
  struct Purchase {
    var recorded = Recorded()
    var needsLook = true
    var nextLook: Date?
    var decision: Decision?
    /// Failures in a row.
    var attempts = 0
    /// Its licenses are looked at where they are kept.
    var inspects = false
  }

  /// Stops a run after some calls to LicenseKit, before or after the last of them took place.
  struct Crash {
    enum Moment { case before, after }

    var calls: Int
    var isBeforeCall: Bool

    mutating func counts(_ action: Reconciliation.Action) {
      switch action {
      case .call, .writeBack: calls -= 1
      default: break
      }
    }

    var isDue: Moment? { calls > 0 ? nil : isBeforeCall ? .before : .after }
  }

  let tenant: Tenant
  let mappings: [Mapping]
  var settings = TenantSettings()
  private(set) var facts: [FactKey: Fact] = [:]
  private(set) var owners: [String: Int] = [:]
  var purchases: [Int: Purchase] = [:]
  private(set) var customers: [String: LicenseKitAPI.CustomerID] = [:]
  /// The buyers' names and addresses as they were written last, by code.
  private(set) var contacts: [String: DesiredCustomer.Contact] = [:]
  /// The keys of the licenses that are recorded.
  private(set) var keys: [LicenseID: String] = [:]
  /// It may serve other vendors as well.
  var kit: FakeLicenseKit
  /// What goes wrong outside, as long as it does.
  var troubles: Troubles? { didSet { hasKnownTrouble = true } }
  /// Then it may still come upon what was lost: a run may end before its time.
  private(set) var hasKnownTrouble = false
  /// Rules that were broken on the way.
  var problems: [String] = []
  /// The fewest licenses that worked at the same time, since the first did.
  private(set) var leastUsable = Int.max

  init(tenant: Tenant = Tenant(account: "acct_1", livemode: true), mappings: [Mapping], isIdempotent: Bool) {
    self.tenant = tenant
    self.mappings = mappings
    kit = FakeLicenseKit(isIdempotent: isIdempotent)
  }

  // MARK: Events

  mutating func deliver(_ event: ModelEvent) {
    guard case .learn(let snapshot, let request) = event.effect else { return }
    for snapshot in snapshot.withShares {
      let fact = Fact(snapshot, asOf: Date(timeIntervalSince1970: TimeInterval(event.created)), source: .event)
      facts[fact.key] = facts[fact.key].map { $0.joined(with: fact) } ?? fact
    }
    if request == .buyer {
      let buyer = snapshot.customer
      for (id, purchase) in purchases where purchase.decision?.customer?.stripeCustomer == buyer {
        purchases[id]?.needsLook = true
      }
    }
    if request == .none { return }
    let concerned =
      snapshot.shares.isEmpty ? [snapshot.aliases + newestInvoice(of: snapshot)] : snapshot.shares.map(\.aliases)
    for purchase in concerned.compactMap({ purchase(of: $0, creating: request == .always) })
      + [purchase(of: snapshot.paymentAliases, creating: false)].compactMap({ $0 })
    {
      purchases[purchase]?.needsLook = true
    }
  }

  private func newestInvoice(of snapshot: Snapshot) -> [String] {
    guard case .subscription(let subscription) = snapshot else { return [] }
    return subscription.latestInvoice.flatMap { facts[FactKey($0)] }?.snapshot.aliases ?? []
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
    into.recorded.pinned.merge(from.recorded.pinned) { mine, _ in mine }
    into.recorded.orders.merge(from.recorded.orders) { mine, _ in mine }
    into.recorded.subscriptions.merge(from.recorded.subscriptions) { mine, _ in mine }
    into.recorded.writeBacks.merge(from.recorded.writeBacks) { mine, _ in mine }
    into.needsLook = true
    purchases[kept] = into
    for (alias, owner) in owners where owner == merged { owners[alias] = kept }
  }

  func knowledge(of purchase: Int) -> Knowledge {
    let own = facts.values.filter { owners[$0.key.subject] == purchase }
    var knowledge = Knowledge(own + own.flatMap(\.snapshot.shared).compactMap { facts[$0] })
    let lenders = Set(knowledge.sharedIDs.compactMap { owners[$0] }).subtracting([purchase])
    if !lenders.isEmpty {
      knowledge.borrow(
        from: Knowledge(facts.values.filter { owners[$0.key.subject].map(lenders.contains) ?? false }))
    }
    return knowledge
  }

  // MARK: Reconciling

  /// Requests reconciles of the purchases whose moment has come.
  mutating func wake(now: Date) {
    for (id, purchase) in purchases { if let next = purchase.nextLook, next <= now { purchases[id]?.needsLook = true } }
  }

  var nextLook: Date? { purchases.values.compactMap(\.nextLook).min() }
  var waiting: [Int] { purchases.filter(\.value.needsLook).keys.sorted() }

  // MARK: What runs write

  /// - Returns: false when the purchase turned out to be another one.
  mutating func write(_ write: Reconciliation.Write, _ id: Int) -> Bool {
    switch write {
    case .learn(let answers, let asked):
      for answer in answers { learn(answer, asked, for: id) }
      return purchases[id] != nil
    case .adopt(let decision, _):
      purchases[id]?.recorded.pinTerms(of: decision.linesToPin)
    case .tell(let subscriptions): requestReconciles(of: subscriptions, besides: id)
    case .observe(let unit, let recorded), .restore(let unit, let recorded):
      purchases[id]?.recorded.units[unit] = recorded.units[unit]
    case .begin(let step, _): purchases[id]?.recorded.begin(step)
    case .record(let step, let outcome, _, _): record(step, outcome, id)
    case .forget(let unit): purchases[id]?.recorded.units[unit] = nil
    case .forgetGone(let gone):
      for record in gone {
        purchases[id]?.recorded.forget(record)
        if case .customer(let code, _) = record { customers[code] = nil }
      }
    case .show(let decision): purchases[id]?.decision = decision
    case .end(let ending): end(ending, id)
    case .fail, .note, .noteChange: break
    }
    return true
  }

  private mutating func learn(_ answer: Reconciliation.Answer, _ asked: Knowledge, for id: Int) {
    for snapshot in answer.snapshot.withShares {
      let known = facts[snapshot.key]
      facts[snapshot.key] = Fact.fetched(
        snapshot, answeredAt: answer.answeredAt, knowing: known, newestKnown: asked.newest)
      if case .invoiceShare(let subscription, _) = snapshot, known?.snapshot != snapshot {
        requestReconciles(of: [subscription], besides: id)
      }
    }
    guard let link = asked.link(of: answer.snapshot, askedBy: "ful_\(id)") else { return }
    if let owner = purchase(of: link.ids, creating: link.begins), owner != id { purchases[owner]?.needsLook = true }
  }

  private mutating func requestReconciles(of subscriptions: [Stripe.SubscriptionID], besides id: Int) {
    for owner in subscriptions.compactMap({ owners[$0.rawValue] }) where owner != id {
      purchases[owner]?.needsLook = true
    }
  }

  private mutating func record(_ step: Step, _ outcome: StepOutcome, _ id: Int) {
    purchases[id]?.recorded.apply(step, outcome.result)
    switch (step, outcome.result) {
    case (.createCustomer(let customer), _), (.updateCustomer(let customer), _):
      customers[customer.code] = purchases[id]?.recorded.customers[customer.code] ?? customers[customer.code]
      contacts[customer.code] = customer.contact
    case (.issue, .license(let license)): keys[license] = outcome.key
    default: break
    }
  }

  private mutating func end(_ ending: Reconciliation.Ending, _ id: Int) {
    switch ending {
    case .done(let decision, let nextLook):
      purchases[id]?.decision = decision
      purchases[id]?.nextLook = nextLook
      purchases[id]?.attempts = 0
      purchases[id]?.inspects = false
    case .failed(_, _, let attempts):
      purchases[id]?.attempts = attempts
      purchases[id]?.nextLook = nil
      openUnusedTerms(of: id)
    case .again(_, let attempts, _), .blocked(_, let attempts): purchases[id]?.attempts = attempts
    }
  }

  /// As `RecordStore.openUnusedTerms`.
  private mutating func openUnusedTerms(of id: Int) {
    guard var recorded = purchases[id]?.recorded else { return }
    let used = Set(
      recorded.units.filter { isUsed($0.value) }.keys.map { LineKey(line: $0.line, product: $0.product) })
    let lines = Set(used.map(\.line))
    for key in recorded.pinned.keys where !used.contains(key) {
      if lines.contains(key.line) { recorded.pinned[key]?.isOpen = true } else { recorded.pinned[key] = nil }
    }
    purchases[id]?.recorded = recorded
  }

  /// A license that is revoked and whose key nobody ever had was none.
  private func isUsed(_ unit: Recorded.Unit) -> Bool {
    guard case .issued(let license, .revoked, _, _) = unit.license, unit.replaced.isEmpty else { return true }
    return keys[license] != nil
  }

  mutating func noteUsable(_ now: Date) {
    let usable = licenses.values.filter { $0.isUsable(at: now) }.count
    if leastUsable != .max || usable > 0 { leastUsable = min(leastUsable, usable) }
  }

  /// The vendor's own.
  var licenses: [LicenseID: FakeLicenseKit.License] { kit.licenses.filter { $0.value.tenant == tenant } }

  // MARK: By hand

  /// A person gives back what counts as revoked by hand and is lost: it is not made anew by itself, since nothing tells
  /// whether it had been revoked. As the admin API does (`releaseLicense`).
  mutating func releaseLost() {
    for (id, purchase) in purchases {
      for (key, unit) in purchase.recorded.units where unit.manualOverrides.contains(.revoked) {
        guard let license = purchase.recorded.licenseID(key), kit.licenses[license] == nil else { continue }
        purchases[id]?.recorded.units[key]?.manualOverrides = []
      }
    }
  }

  /// What is wanted and recorded of each unit, and what LicenseKit has: the text of a failing test.
  var story: [String] {
    purchases.sorted { $0.key < $1.key }.flatMap { id, purchase in
      let decision = purchase.decision
      var lines = ["purchase \(id): \(decision?.status.rawValue ?? "undecided"), \(purchase.attempts) attempts"]
      if let reason = decision?.reason { lines.append(reason) }
      for unit in decision?.lines.flatMap(\.units) ?? [] {
        let end = unit.expiresAt.map { "until \($0)" } ?? "for ever"
        lines.append("\(unit.key) is to be \(unit.access) \(end)")
      }
      for (key, unit) in purchase.recorded.units.sorted(by: { $0.key < $1.key }) {
        let license = purchase.recorded.licenseID(key).flatMap { kit.licenses[$0] }
        lines.append("\(key): \(unit); at LicenseKit: \(license.map { "\($0)" } ?? "none")")
      }
      return lines
    }
  }

  /// A person changes the first license that is not revoked.
  mutating func byHand(_ change: (inout FakeLicenseKit, LicenseID) -> Void) {
    let first = licenses.filter { $0.value.status != .revoked }.keys.min()
    if let first { change(&kit, first) }
  }

  /// A person changes a license that is suspended.
  mutating func byHandSuspended(_ change: (inout FakeLicenseKit, LicenseID) -> Void) {
    if let first = licenses.filter({ $0.value.status == .suspended }).keys.min() { change(&kit, first) }
  }

  /// Puts the records back to where a renewal by a month was begun, and what came of it is not known.
  mutating func doubtsRenewal() {
    for (id, purchase) in purchases {
      for (key, unit) in purchase.recorded.units {
        guard case .issued(let license, let status, let end?, let features) = unit.license else { continue }
        let before = end.addingTimeInterval(-31 * 86_400)
        purchases[id]?.recorded.units[key]?.license = .issued(
          license, status: status, expiresAt: before, features: features)
        purchases[id]?.recorded.units[key]?.inFlight = .renew
      }
    }
  }

  /// The next look compares all licenses with what LicenseKit has.
  mutating func inspect() {
    for id in purchases.keys {
      purchases[id]?.inspects = true
      purchases[id]?.needsLook = true
      purchases[id]?.attempts = 0
    }
  }
}
