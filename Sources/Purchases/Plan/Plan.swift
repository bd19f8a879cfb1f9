package import Foundation
import Identity
import LicenseKitAPI
import StripeAPI

/// `desired − recorded → steps`.
package struct Plan: Hashable, Sendable {
  package var steps: [Step] = []
  /// When the paid time of a unit ends that is no longer sold.
  package var nextLook: Date?

  /// - Parameter now: used if the decision does not say for which moment it is.
  package init(_ decision: Decision, recorded: Recorded, now: Date) {
    guard decision.isComplete else { return }
    let now = decision.asOf ?? now
    let lines = decision.lines
    let sells = lines.contains { !$0.units.isEmpty }
    let grants = lines.contains { $0.units.contains { $0.access == .active } } || !recorded.units.isEmpty
    guard sells, grants else {
      planForRest(decision, recorded, now)
      return
    }
    if let customer = decision.customer, recorded.customers[customer.code] == nil {
      steps.append(.createCustomer(customer))
    } else if let customer = decision.customer, customer.isFollowed,
      recorded.contacts[customer.code] != customer.contact
    {
      steps.append(.updateCustomer(customer))
    }
    for line in lines { planRecords(of: line, recorded) }
    for line in lines {
      for unit in line.units { plan(unit, line, recorded, reason: decision.reason, now: now) }
    }
    planForRest(decision, recorded, now)
    for line in lines { planOrderStatus(of: line, recorded) }
    planWriteBack(decision, recorded)
  }

  private static func key(_ line: DesiredLine, _ externalID: String) -> Recorded.RecordKey {
    .init(product: line.key.product, externalID: externalID)
  }

  /// The commerce records that licenses refer to come before the licenses.
  private mutating func planRecords(of line: DesiredLine, _ recorded: Recorded) {
    let hasLicense = recorded.units.keys.contains { $0.line == line.key.line && $0.product == line.key.product }
    guard hasLicense || line.units.contains(where: { $0.access == .active }) else { return }
    if let record = line.subscription {
      switch recorded.subscriptions[Self.key(line, record.externalID)] {
      case nil: steps.append(.createSubscription(record))
      case let known? where known.applied != record: steps.append(.updateSubscription(record))
      default: break
      }
    }
    for order in line.orders where recorded.orders[Self.key(line, order.externalID)] == nil {
      steps.append(.createOrder(order))
    }
  }

  private mutating func plan(
    _ unit: DesiredUnit, _ line: DesiredLine, _ recorded: Recorded, reason: String?, now: Date
  ) {
    let policy = line.pinnedTerms.terms.policy
    guard let known = recorded.units[unit.key] else {
      // Nothing is issued that would have to be taken away at once.
      if unit.access == .active, unit.expiresAt.map({ $0 > now }) ?? true {
        steps.append(.issue(unit, policy: policy, generation: 1))
        steps += unit.features.map { .assignFeature(unit.key, $0) }
      }
      return
    }
    guard case .issued(_, let status, let expiresAt, let features) = known.license else {
      // An attempt to issue was cut off. It is finished even if the sale is over by now: otherwise a license could exist that
      // nobody knows of, and only a known license can be revoked.
      steps.append(.issue(unit, policy: policy, generation: known.generation))
      if unit.access == .active { steps += unit.features.map { .assignFeature(unit.key, $0) } }
      return
    }

    defer { planReplaced(unit.key, known) }
    if known.inFlight == .revoke, status != .revoked {
      // It may be revoked already, and that cannot be undone. So the revocation is completed first.
      steps.append(.revoke(unit.key, because: "it was being revoked"))
      return
    }
    let isCertain = known.inFlight == nil
    var access = unit.access
    if access == .active, let until = unit.expiresAt, expiresAt.map({ $0 > until }) ?? true {
      // An expiry is never moved back. A license that would outlive its paid time is stopped when that time ends.
      if until <= now { access = .ended } else { nextLook = min(nextLook ?? until, until) }
    }
    switch (access, status) {
    case (_, .revoked) where known.manualOverrides.contains(.revoked): break
    case (.revoked, .revoked): break
    case (.revoked, _): steps.append(.revoke(unit.key, because: reason ?? "the sale was undone"))
    case (.active, _) where known.isUnderAnotherPolicy(than: policy) && unit.expiresAt.map({ $0 > now }) ?? true:
      // No call changes the policy of a license (LicenseKit contract), so the new license exists before the old one ends.
      steps.append(.issue(unit, policy: policy, generation: known.generation + 1))
      steps += unit.features.map { .assignFeature(unit.key, $0) }
    case (.active, .revoked):
      steps.append(.issue(unit, policy: policy, generation: known.generation + 1))
      steps += unit.features.map { .assignFeature(unit.key, $0) }
    case (.active, _):
      planFeatures(unit, known: features)
      planRenewal(unit, expiresAt: expiresAt)
      // An expired license cannot be reinstated; its renewal brings it back.
      let isOver = expiresAt.map { max($0, unit.expiresAt ?? $0) <= now } ?? false
      let isWanted = !known.manualOverrides.contains(.suspended)
      // We only saw that a person reinstated it. Now that it is due anyway we reinstate it ourselves: the next trouble is a
      // new one, and if what we saw was not true, the license is back nevertheless.
      let isOvertaken = known.manualOverrides.contains(.reinstated) && line.causes.isEmpty
      if status == .suspended || !isCertain || isOvertaken, !isOver, isWanted { steps.append(.reinstate(unit.key)) }
    case (_, .revoked): break
    case (.suspended, _), (.ended, _):
      if status == .suspended, isCertain { break }
      if isCertain, known.holdsAgainstSuspension(for: line.causes.isEmpty ? nil : line.causes) { break }
      // An expired license needs no suspension to be over, and its renewal reinstates it if it is to come back.
      if access == .ended, isCertain, let expiresAt, expiresAt <= now { break }
      steps.append(.suspend(unit.key, because: reason ?? "access is withheld"))
    }
  }

  /// A replaced license ends once its replacement exists.
  private mutating func planReplaced(_ key: UnitKey, _ known: Recorded.Unit) {
    steps += known.replaced.map { .revokeReplaced(key, $0) }
  }

  private mutating func planRenewal(_ unit: DesiredUnit, expiresAt: Date?) {
    guard let until = unit.expiresAt, let expiresAt, until > expiresAt else { return }
    steps.append(.renew(unit.key, until: until, order: unit.order, subscription: unit.subscription))
  }

  private mutating func planFeatures(_ unit: DesiredUnit, known: [Terms.FeatureGrant]) {
    for grant in unit.features where !known.contains(grant) { steps.append(.assignFeature(unit.key, grant)) }
    for grant in known where !unit.features.contains(where: { $0.featureID == grant.featureID }) {
      steps.append(.removeFeature(unit.key, grant.featureID))
    }
  }

  /// Units recorded for what is no longer sold: a removed line, a lowered quantity, a plan changed to another product.
  ///
  /// They end at once, after their replacements exist. Stripe credits the rest of the period, seats shrink at once too, and a
  /// purchase that was first looked at after the change has never had these units.
  private mutating func planForRest(_ decision: Decision, _ recorded: Recorded, _ now: Date) {
    let wanted = Set(decision.lines.flatMap { $0.units.map(\.key) })
    let unpaid = decision.lines.reduce(into: [LineKey: DesiredLine.Unpaid]()) { $0[$1.key] = $1.unpaid }
    let causes = decision.lines.reduce(into: Set<Cause>()) { $0.formUnion($1.causes) }
    let isUndone = decision.lines.contains { line in
      !line.units.isEmpty && line.units.allSatisfy { $0.access == .revoked }
    }
    for (key, unit) in recorded.units.sorted(by: { $0.key < $1.key }) where !wanted.contains(key) {
      let line = LineKey(line: key.line, product: key.product)
      guard unpaid[line] != .leavesIssued, let terms = recorded.pinned[line]?.terms else { continue }
      guard case .issued(_, let status, let expiresAt, _) = unit.license else {
        // Issuing it was cut off, and only a known license can be ended.
        steps.append(.issue(Self.unsold(key, decision, recorded), policy: terms.policy, generation: unit.generation))
        continue
      }
      planReplaced(key, unit)
      if status == .revoked { continue }
      if terms.onCancel == .revoke || unit.inFlight == .revoke || (isUndone && !unit.manualOverrides.isEmpty) {
        steps.append(.revoke(key, because: "it is sold no more"))
      } else if status == .active || unit.inFlight != nil {
        if unit.inFlight == nil, let expiresAt, expiresAt <= now { continue }
        if unit.inFlight == nil, unit.holdsAgainstSuspension(for: causes.isEmpty ? nil : causes) { continue }
        steps.append(.suspend(key, because: unpaid[line] == nil ? "it is sold no more" : "nothing is paid for it"))
      }
    }
  }

  /// A unit that is no longer wanted, under the records it was begun with.
  static func unsold(_ key: UnitKey, _ decision: Decision, _ recorded: Recorded) -> DesiredUnit {
    let name = "\(decision.root?.stripeID ?? ""):\(key.line)"
    let record = Recorded.RecordKey(product: key.product, externalID: name)
    return DesiredUnit(
      key: key, access: .ended, startsAt: nil, expiresAt: nil, features: [],
      order: recorded.orders[record] == nil ? nil : name,
      subscription: recorded.subscriptions[record] == nil ? nil : name)
  }

  /// An order is fulfilled when its licenses exist, and refunded when its money has gone back.
  private mutating func planOrderStatus(of line: DesiredLine, _ recorded: Recorded) {
    let areIssued = line.units.allSatisfy { recorded.licenseID($0.key) != nil }
    for order in line.orders {
      guard let known = recorded.orders[Self.key(line, order.externalID)] else { continue }
      let target: OrderStatus =
        order.isVoided ? .canceled : order.isRefunded ? .refunded : areIssued ? .fulfilled : .paid
      if known.status != target { steps.append(.setOrderStatus(order, target)) }
    }
  }

  /// Metadata on Stripe's objects points to LicenseKit. It is never read as the truth.
  private mutating func planWriteBack(_ decision: Decision, _ recorded: Recorded) {
    guard let root = decision.root else { return }
    let licenses = decision.lines.flatMap { $0.units.compactMap { recorded.licenseID($0.key) } }
    guard !licenses.isEmpty else { return }
    var metadata: [String: String] = ["licensekit_license_id": Self.fitted(licenses.map(\.rawValue))]
    let orders = decision.lines.flatMap { line in
      line.orders.compactMap { recorded.orders[Self.key(line, $0.externalID)]?.id.rawValue }
    }
    if !orders.isEmpty { metadata["licensekit_order_id"] = Self.fitted(orders) }
    let customer = decision.customer.flatMap { recorded.customers[$0.code] }
    if let customer { metadata["licensekit_customer_id"] = customer.rawValue }
    var wanted: [(MetadataTarget, [String: String])] = []
    switch root {
    case .subscription(let id): wanted.append((.subscription(id), metadata))
    case .checkout(let id): wanted.append((.checkoutSession(id), metadata))
    case .invoice(let id): wanted.append((.invoice(id), metadata))
    case .payment: break
    }
    if let payment = decision.payment { wanted.append((.paymentIntent(payment), metadata)) }
    if let customer, let stripeCustomer = decision.customer?.stripeCustomer {
      wanted.append((.customer(stripeCustomer), ["licensekit_customer_id": customer.rawValue]))
    }
    for (target, metadata) in wanted where recorded.writeBacks[target.stripeID] != metadata {
      steps.append(.writeBack(target, metadata))
    }
  }

  /// Comma-separated if that fits into one metadata value (500 characters), else the first and the number of the others.
  static func fitted(_ ids: [String]) -> String {
    let joined = ids.joined(separator: ",")
    return joined.count <= 500 ? joined : "\(ids[0]) and \(ids.count - 1) more"
  }
}

extension Recorded.Unit {
  /// Whether the license was issued under another policy than the wanted one, and no person has changed it.
  fileprivate func isUnderAnotherPolicy(than wanted: PolicyID) -> Bool {
    guard let policy, policy != wanted else { return false }
    return manualOverrides.isDisjoint(with: [.suspended, .revoked, .extended])
  }
}
