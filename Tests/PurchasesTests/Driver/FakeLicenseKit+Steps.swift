import Foundation
import Identity
import LicenseKitAPI
import StripeAPI

@testable import Purchases

extension FakeLicenseKit {
  static let gone = LicenseKitError(status: 404, code: "NOT_FOUND", message: "no such record")
  private static let conflict = LicenseKitError(status: 409, code: "CONFLICT", message: "its state forbids it")

  /// Takes a step, as `StepRunner` does.
  mutating func take(
    _ step: Step, _ before: Recorded, customer: DesiredCustomer?, of tenant: Tenant, now: Date
  ) throws(LicenseKitError) -> StepOutcome {
    let buyer = customer.flatMap { before.customers[$0.code] }
    switch step {
    case .createCustomer(let customer): return StepOutcome(result: .customer(.init(make(customer.code))))
    case .updateCustomer, .writeBack: return StepOutcome(result: .done)
    case .createSubscription(let record):
      try require(buyer?.rawValue)
      return StepOutcome(result: .subscription(.init(make("\(tenant) sub \(record.product) \(record.externalID)"))))
    case .updateSubscription(let record):
      try require(before.subscriptions[.init(product: record.product, externalID: record.externalID)]?.id.rawValue)
    case .createOrder(let order):
      try require(buyer?.rawValue)
      try require(subscription(order.subscription, order.product, before)?.rawValue)
      return StepOutcome(result: .order(.init(make("\(tenant) order \(order.product) \(order.externalID)"))))
    case .setOrderStatus(let order, _):
      try require(before.orders[.init(product: order.product, externalID: order.externalID)]?.id.rawValue)
    case .issue(let unit, let policy, let generation):
      try require(buyer?.rawValue)
      return try issue(unit, policy: policy, generation: generation, before, of: tenant, now: now)
    case .revokeReplaced(_, let license): revoke(license)
    case .assignFeature(let key, _), .removeFeature(let key, _), .renew(let key, _, _, _), .suspend(let key, _),
      .reinstate(let key), .revoke(let key, _):
      guard let id = before.licenseID(key) else { return StepOutcome(result: .done) }
      guard licenses[id] != nil else { throw Self.gone }
      return try change(id, step, now: now)
    }
    return StepOutcome(result: .done)
  }

  private mutating func change(
    _ id: LicenseID, _ step: Step, now: Date
  ) throws(LicenseKitError) -> StepOutcome {
    let refused = refusals.count
    var changesStatus = true
    switch step {
    case .suspend: suspend(id)
    case .reinstate: reinstate(id, now: now)
    case .revoke: revoke(id)
    default: changesStatus = false
    }
    switch step {
    case .assignFeature(_, let grant): assign(grant, to: id)
    case .removeFeature(_, let feature): remove(feature, from: id)
    case .renew(_, let until, _, _): renew(id, until: until)
    default: break
    }
    if refusals.count > refused { throw Self.conflict }
    return StepOutcome(result: .done, status: changesStatus ? licenses[id]?.seen(at: now) : nil)
  }

  /// The same call again where the body is the same, and else what an attempt left behind is found by its order or
  /// subscription and its name, and revoked.
  private mutating func issue(
    _ unit: DesiredUnit, policy: PolicyID, generation: Int, _ before: Recorded, of tenant: Tenant, now: Date
  ) throws(LicenseKitError) -> StepOutcome {
    let (order, subscription) = (order(unit, before), subscription(unit.subscription, unit.key.product, before))
    try require(order?.rawValue)
    try require(subscription?.rawValue)
    let name = Self.name(unit.key, generation, of: tenant)
    let body =
      "\(name) \(policy) \(String(describing: unit.expiresAt)) \(order?.rawValue ?? "") \(subscription?.rawValue ?? "")"
    let made = create(
      License(
        name: name, tenant: tenant, unit: unit.key, order: order, subscription: subscription, policy: policy,
        expiresAt: unit.expiresAt),
      key: body)
    let wasCutOff = before.units[unit.key].map { $0.license == .issuing && $0.generation == generation } ?? false
    if wasCutOff { revokeOrphans(of: name, besides: made.id, order: order, subscription: subscription) }
    return StepOutcome(
      result: .license(made.id), key: made.key, status: wasCutOff ? licenses[made.id]?.seen(at: now) ?? .revoked : nil)
  }

  mutating func revokeLost(
    _ unit: DesiredUnit, generation: Int, _ before: Recorded, of tenant: Tenant
  ) -> [LicenseID] {
    revokeOrphans(
      of: Self.name(unit.key, generation, of: tenant), besides: nil, order: order(unit, before),
      subscription: subscription(unit.subscription, unit.key.product, before))
  }

  func seen(_ id: LicenseID, now: Date) throws(LicenseKitError) -> SeenLicense {
    guard let license = licenses[id] else { throw Self.gone }
    return SeenLicense(id: id, status: license.seen(at: now), expiresAt: license.expiresAt, policy: license.policy)
  }

  func isMissing(_ record: Existing) -> Bool {
    switch record {
    case .product, .policy, .feature: false
    case .customer(_, let id): !has(id.rawValue)
    case .subscription(_, let id): !has(id.rawValue)
    case .order(_, let id): !has(id.rawValue)
    case .license(_, let id): licenses[id] == nil
    }
  }

  private static func name(_ unit: UnitKey, _ generation: Int, of tenant: Tenant) -> String {
    "\(tenant)|\(unit)/\(generation)"
  }

  private func require(_ id: String?) throws(LicenseKitError) {
    if let id, !has(id) { throw Self.gone }
  }

  private func order(_ unit: DesiredUnit, _ before: Recorded) -> OrderID? {
    unit.order.flatMap { before.orders[.init(product: unit.key.product, externalID: $0)]?.id }
  }

  private func subscription(
    _ externalID: String?, _ product: ProductID, _ before: Recorded
  ) -> LicenseKitAPI.SubscriptionID? {
    externalID.flatMap { before.subscriptions[.init(product: product, externalID: $0)]?.id }
  }
}
