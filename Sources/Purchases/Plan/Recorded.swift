package import Foundation
import Identity
package import LicenseKitAPI
import StripeAPI

/// What this service has made for a purchase so far, according to its own records.
package struct Recorded: Hashable, Sendable {
  package struct Unit: Hashable, Sendable {
    package enum License: Hashable, Sendable {
      /// Issuing was begun; whether LicenseKit has issued is not known.
      case issuing
      case issued(LicenseID, status: Status, expiresAt: Date?, features: [Terms.FeatureGrant])
    }
    /// What was last done to the license. Expiry follows from time and is not recorded as a status.
    package enum Status: String, Hashable, Sendable, Codable { case active, suspended, revoked }

    /// A change of the license that was begun. Whether it took effect is not known until it is recorded as done.
    package enum InFlight: String, Hashable, Sendable, Codable { case suspend, reinstate, revoke, renew }

    /// Grows when a revoked license is replaced by a new one.
    package var generation: Int
    package var license: License
    /// Set between the two records of a step; after a crash, until the step is taken again.
    package var inFlight: InFlight?
    /// The policy it was issued under; nil if that was not recorded.
    package var policy: PolicyID?
    /// Licenses that this one replaces and that are still to be revoked. The buyer always has one that works.
    package var replaced: [LicenseID]
    /// What a person changed at LicenseKit and this service leaves.
    package var manualOverrides: Set<ManualOverride>

    package init(
      generation: Int, license: License, inFlight: InFlight? = nil, policy: PolicyID? = nil,
      replaced: [LicenseID] = [], manualOverrides: Set<ManualOverride> = []
    ) {
      self.generation = generation
      self.license = license
      self.inFlight = inFlight
      self.policy = policy
      self.replaced = replaced
      self.manualOverrides = manualOverrides
    }
  }

  package struct Order: Hashable, Sendable {
    package var id: OrderID
    package var status: OrderStatus
    package init(id: OrderID, status: OrderStatus) {
      self.id = id
      self.status = status
    }
  }

  package struct SubscriptionRecord: Hashable, Sendable {
    package var id: LicenseKitAPI.SubscriptionID
    package var applied: DesiredSubscription
    package init(id: LicenseKitAPI.SubscriptionID, applied: DesiredSubscription) {
      self.id = id
      self.applied = applied
    }
  }

  /// External ids are unique within one LicenseKit product.
  package struct RecordKey: Hashable, Sendable, Comparable {
    package let product: ProductID
    package let externalID: String
    package init(product: ProductID, externalID: String) {
      self.product = product
      self.externalID = externalID
    }

    package static func < (a: RecordKey, b: RecordKey) -> Bool { (a.product, a.externalID) < (b.product, b.externalID) }
  }

  package var customers: [String: LicenseKitAPI.CustomerID] = [:]
  /// The name and address that each customer was last given, by code.
  package var contacts: [String: DesiredCustomer.Contact] = [:]
  package var subscriptions: [RecordKey: SubscriptionRecord] = [:]
  package var orders: [RecordKey: Order] = [:]
  package var pinned: [LineKey: Decider.PinnedTerms] = [:]
  package var units: [UnitKey: Unit] = [:]
  /// Metadata last written to Stripe's objects, by Stripe id.
  package var writeBacks: [String: [String: String]] = [:]

  package init() {}

  package func licenseID(_ key: UnitKey) -> LicenseID? {
    if case .issued(let id, _, _, _)? = units[key]?.license { id } else { nil }
  }
}

extension Recorded {
  /// Keeps the terms under which lines are sold. This settles any terms of these lines that were open.
  package mutating func pinTerms(of lines: [DesiredLine]) {
    let names = Set(lines.map(\.key.line))
    pinned = pinned.filter { !($0.value.isOpen && names.contains($0.key.line)) }
    for line in lines { pinned[line.key] = line.pinnedTerms }
  }
}

/// What the outside world answered to a step.
package enum StepResult: Hashable, Sendable {
  case customer(LicenseKitAPI.CustomerID)
  case subscription(LicenseKitAPI.SubscriptionID)
  case order(OrderID)
  case license(LicenseID)
  case done
}

extension Recorded {
  /// The records after a step was taken.
  package mutating func apply(_ step: Step, _ result: StepResult) {
    switch (step, result) {
    case (.createCustomer(let customer), .customer(let id)):
      customers[customer.code] = id
      contacts[customer.code] = customer.contact
    case (.updateCustomer(let customer), _):
      contacts[customer.code] = customer.contact
    case (.createSubscription(let record), .subscription(let id)):
      subscriptions[.init(product: record.product, externalID: record.externalID)] = .init(id: id, applied: record)
    case (.updateSubscription(let record), _):
      subscriptions[.init(product: record.product, externalID: record.externalID)]?.applied = record
    case (.createOrder(let order), .order(let id)):
      orders[.init(product: order.product, externalID: order.externalID)] = .init(id: id, status: .paid)
    case (.setOrderStatus(let order, let status), _):
      orders[.init(product: order.product, externalID: order.externalID)]?.status = status
    case (.issue(let unit, let policy, let generation), .license(let id)):
      units[unit.key] = Unit(
        generation: generation, license: .issued(id, status: .active, expiresAt: unit.expiresAt, features: []),
        policy: policy, replaced: units[unit.key]?.replaced ?? [])
    case (.assignFeature(let key, let grant), _):
      change(key) { _, _, features in
        features.removeAll { $0.featureID == grant.featureID }
        features.append(grant)
      }
    case (.removeFeature(let key, let feature), _):
      change(key) { _, _, features in features.removeAll { $0.featureID == feature } }
    case (.renew(let key, let until, _, _), _):
      change(key) { _, expiresAt, _ in expiresAt = until }
      if units[key]?.inFlight == .renew { units[key]?.inFlight = nil }
      // Paid time now reaches beyond the time that a person had given.
      units[key]?.manualOverrides.remove(.extended)
    case (.suspend(let key, _), _): settle(key, .suspended)
    case (.reinstate(let key), _):
      settle(key, .active)
      units[key]?.manualOverrides.remove(.reinstated)
    case (.revoke(let key, _), _): settle(key, .revoked)
    case (.revokeReplaced(let key, let license), _): units[key]?.replaced.removeAll { $0 == license }
    case (.writeBack(let target, let metadata), _): writeBacks[target.stripeID] = metadata
    default: break
    }
  }

  /// The records before a step is taken. A step that was begun is finished or repeated, whatever happens in between and
  /// whatever is wanted by then.
  package mutating func begin(_ step: Step) {
    switch step {
    case .issue(let unit, let policy, let generation):
      var replaced = units[unit.key]?.replaced ?? []
      if case .issued(let former, let status, _, _)? = units[unit.key]?.license, status != .revoked {
        replaced.append(former)
      }
      units[unit.key] = Unit(generation: generation, license: .issuing, policy: policy, replaced: replaced)
    case .suspend(let key, _): units[key]?.inFlight = .suspend
    case .reinstate(let key): units[key]?.inFlight = .reinstate
    case .revoke(let key, _): units[key]?.inFlight = .revoke
    // A license that is already in flight stays in flight.
    case .renew(let key, _, _, _): if units[key]?.inFlight == nil { units[key]?.inFlight = .renew }
    case .assignFeature(let key, let grant):
      change(key) { _, _, features in
        features.removeAll { $0.featureID == grant.featureID }
        features.append(.inFlight(grant.featureID))
      }
    case .removeFeature(let key, let feature):
      change(key) { _, _, features in
        features.removeAll { $0.featureID == feature }
        features.append(.inFlight(feature))
      }
    case .createCustomer, .updateCustomer, .createSubscription, .updateSubscription, .createOrder, .setOrderStatus,
      .revokeReplaced, .writeBack:
      break
    }
  }

  private mutating func settle(_ key: UnitKey, _ settled: Unit.Status) {
    change(key) { status, _, _ in status = settled }
    units[key]?.inFlight = nil
  }

  private mutating func change(
    _ key: UnitKey, _ body: (inout Unit.Status, inout Date?, inout [Terms.FeatureGrant]) -> Void
  ) {
    guard case .issued(let id, var status, var expiresAt, var features)? = units[key]?.license else { return }
    body(&status, &expiresAt, &features)
    units[key]?.license = .issued(id, status: status, expiresAt: expiresAt, features: features)
  }
}

extension Terms.FeatureGrant {
  /// Stands in the records for a feature while it is assigned or removed. No real quota is negative, so it equals no wanted
  /// grant.
  package static func inFlight(_ feature: FeatureID) -> Terms.FeatureGrant {
    .init(featureID: feature, maxConsumptions: -1)
  }
}
