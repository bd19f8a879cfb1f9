public import Foundation
public import Identity
public import LicenseKitAPI
import StripeAPI

/// What this service has made for a purchase so far, as its own records say.
public struct Recorded: Hashable, Sendable {
  public struct Unit: Hashable, Sendable {
    public enum License: Hashable, Sendable {
      /// Issuing was begun; whether LicenseKit got that far is not known.
      case issuing
      case issued(LicenseID, status: Status, expiresAt: Date?, features: [Terms.FeatureGrant])
    }
    /// What was last done to the license; its expiry is a matter of time and not recorded as a status.
    public enum Status: String, Hashable, Sendable, Codable { case active, suspended, revoked }

    /// A change of the license that was begun: whether it took effect is not known before it is recorded as done.
    public enum Unsettled: String, Hashable, Sendable, Codable { case suspend, reinstate, revoke, renew }

    /// Grows when a revoked license is replaced by a new one.
    public var generation: Int
    public var license: License
    /// Set between the two records of a step, and by a crash for longer.
    public var unsettled: Unsettled?
    /// The policy it was issued under; nil where that was not written down.
    public var policy: PolicyID?
    /// Licenses that this one takes the place of, still to be revoked. The buyer always has one that works.
    public var replaced: [LicenseID]
    /// What a person changed at LicenseKit, and this service leaves so.
    public var byHand: Set<ByHand>

    public init(
      generation: Int, license: License, unsettled: Unsettled? = nil, policy: PolicyID? = nil,
      replaced: [LicenseID] = [], byHand: Set<ByHand> = []
    ) {
      self.generation = generation
      self.license = license
      self.unsettled = unsettled
      self.policy = policy
      self.replaced = replaced
      self.byHand = byHand
    }
  }

  public struct Order: Hashable, Sendable {
    public var id: OrderID
    public var status: OrderStatus
    public init(id: OrderID, status: OrderStatus) {
      self.id = id
      self.status = status
    }
  }

  public struct SubscriptionRecord: Hashable, Sendable {
    public var id: LicenseKitAPI.SubscriptionID
    public var applied: DesiredSubscription
    public init(id: LicenseKitAPI.SubscriptionID, applied: DesiredSubscription) {
      self.id = id
      self.applied = applied
    }
  }

  /// External ids are unique within one LicenseKit product.
  public struct RecordKey: Hashable, Sendable, Comparable {
    public let product: ProductID
    public let externalID: String
    public init(product: ProductID, externalID: String) {
      self.product = product
      self.externalID = externalID
    }

    public static func < (a: RecordKey, b: RecordKey) -> Bool { (a.product, a.externalID) < (b.product, b.externalID) }
  }

  public var customers: [String: LicenseKitAPI.CustomerID] = [:]
  /// The name and address that a customer was given last, by code.
  public var contacts: [String: DesiredCustomer.Contact] = [:]
  public var subscriptions: [RecordKey: SubscriptionRecord] = [:]
  public var orders: [RecordKey: Order] = [:]
  public var agreed: [LineKey: Decider.Agreement] = [:]
  public var units: [UnitKey: Unit] = [:]
  /// Metadata last written to Stripe's objects, by Stripe id.
  public var writeBacks: [String: [String: String]] = [:]

  public init() {}

  func licenseID(_ key: UnitKey) -> LicenseID? {
    if case .issued(let id, _, _, _)? = units[key]?.license { id } else { nil }
  }
}

extension Recorded {
  /// Keeps the terms under which lines are sold. What was open in them is decided by that.
  mutating func agree(to lines: [DesiredLine]) {
    let names = Set(lines.map(\.key.line))
    agreed = agreed.filter { !($0.value.isOpen && names.contains($0.key.line)) }
    for line in lines { agreed[line.key] = line.agreement }
  }
}

/// What the outside world answered to a step.
public enum StepResult: Hashable, Sendable {
  case customer(LicenseKitAPI.CustomerID)
  case subscription(LicenseKitAPI.SubscriptionID)
  case order(OrderID)
  case license(LicenseID)
  case done
}

extension Recorded {
  /// The records after a step was taken.
  public mutating func apply(_ step: Step, _ result: StepResult) {
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
      if units[key]?.unsettled == .renew { units[key]?.unsettled = nil }
      // What was paid for reaches beyond what a person had given.
      units[key]?.byHand.remove(.extended)
    case (.suspend(let key, _), _): settle(key, .suspended)
    case (.reinstate(let key), _):
      settle(key, .active)
      units[key]?.byHand.remove(.reinstated)
    case (.revoke(let key, _), _): settle(key, .revoked)
    case (.revokeReplaced(let key, let license), _): units[key]?.replaced.removeAll { $0 == license }
    case (.writeBack(let target, let metadata), _): writeBacks[target.stripeID] = metadata
    default: break
    }
  }

  /// The records before a step is taken: what is begun is finished or done again, whatever happens in between and
  /// whatever is wanted by then.
  public mutating func begin(_ step: Step) {
    switch step {
    case .issue(let unit, let policy, let generation):
      var replaced = units[unit.key]?.replaced ?? []
      if case .issued(let former, let status, _, _)? = units[unit.key]?.license, status != .revoked {
        replaced.append(former)
      }
      units[unit.key] = Unit(generation: generation, license: .issuing, policy: policy, replaced: replaced)
    case .suspend(let key, _): units[key]?.unsettled = .suspend
    case .reinstate(let key): units[key]?.unsettled = .reinstate
    case .revoke(let key, _): units[key]?.unsettled = .revoke
    // What is in doubt already stays in doubt.
    case .renew(let key, _, _, _): if units[key]?.unsettled == nil { units[key]?.unsettled = .renew }
    case .assignFeature(let key, let grant):
      change(key) { _, _, features in
        features.removeAll { $0.featureID == grant.featureID }
        features.append(.unsettled(grant.featureID))
      }
    case .removeFeature(let key, let feature):
      change(key) { _, _, features in
        features.removeAll { $0.featureID == feature }
        features.append(.unsettled(feature))
      }
    case .createCustomer, .updateCustomer, .createSubscription, .updateSubscription, .createOrder, .setOrderStatus,
      .revokeReplaced, .writeBack:
      break
    }
  }

  private mutating func settle(_ key: UnitKey, _ settled: Unit.Status) {
    change(key) { status, _, _ in status = settled }
    units[key]?.unsettled = nil
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
  /// Stands in the records for a feature that was being assigned or removed. No quota is negative, so that it equals no
  /// wanted grant.
  static func unsettled(_ feature: FeatureID) -> Terms.FeatureGrant { .init(featureID: feature, maxConsumptions: -1) }
}
