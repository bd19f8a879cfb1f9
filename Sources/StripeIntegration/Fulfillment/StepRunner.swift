import Cryptography
import Foundation
import Identity
import JSON
import LicenseKitAPI
import Purchases
import StripeAPI

/// Takes one step at LicenseKit. Every step can be repeated: what is already done stays as it is.
struct StepRunner {
  let tenant: Tenant
  let licenseKit: any LicenseKitClient
  let customer: DesiredCustomer?
  /// The payment of a one-time sale, if it is known.
  let payment: Stripe.PaymentIntentID?

  /// Test and live objects are kept apart even if one LicenseKit serves both.
  private var externalSystem: String { tenant.livemode ? "stripe" : "stripe_test" }

  func run(_ step: Step, _ recorded: Recorded) async throws -> StepOutcome {
    switch step {
    case .createCustomer(let customer): return try await createCustomer(customer)
    case .updateCustomer(let customer): return try await updateCustomer(customer, recorded)
    case .createSubscription(let record): return try await createSubscription(record, recorded)
    case .updateSubscription(let record): return try await updateSubscription(record, recorded)
    case .createOrder(let order): return try await createOrder(order, recorded)
    case .setOrderStatus(let order, let status):
      if let known = recorded.orders[.init(product: order.product, externalID: order.externalID)] {
        _ = try await licenseKit.updateOrder(known.id, OrderUpdateRequest(status: status))
      }
      return StepOutcome(result: .done)
    case .issue(let unit, let policy, let generation):
      return try await issue(unit, policy: policy, generation: generation, recorded)
    case .assignFeature(let key, let grant):
      if let license = recorded.licenseID(key) {
        _ = try await licenseKit.assignLicenseFeature(
          license,
          LicenseFeatureAssignRequest(featureID: grant.featureID, enabled: true, maxConsumptions: grant.maxConsumptions)
        )
      }
      return StepOutcome(result: .done)
    case .removeFeature(let key, let feature):
      if let license = recorded.licenseID(key) { try await remove(feature, from: license) }
      return StepOutcome(result: .done)
    case .renew(let key, let until, let order, let subscription):
      return try await renew(key, until: until, order: order, subscription: subscription, recorded)
    case .suspend(let key, _):
      guard let license = recorded.licenseID(key) else { return StepOutcome(result: .done) }
      return StepOutcome(result: .done, status: try await licenseKit.suspendLicense(license).status)
    case .reinstate(let key):
      guard let license = recorded.licenseID(key) else { return StepOutcome(result: .done) }
      return StepOutcome(result: .done, status: try await licenseKit.reinstateLicense(license).status)
    case .revoke(let key, _):
      guard let license = recorded.licenseID(key) else { return StepOutcome(result: .done) }
      return StepOutcome(result: .done, status: try await licenseKit.revokeLicense(license).status)
    case .revokeReplaced(_, let license):
      do {
        _ = try await licenseKit.revokeLicense(license)
      } catch {
        guard error.retry == .gone else { throw error }
      }
      return StepOutcome(result: .done)
    case .writeBack:
      return StepOutcome(result: .done)
    }
  }

  /// Finds which of these LicenseKit does not have.
  func missing(among records: [Existing]) async throws -> [Existing] {
    var missing: [Existing] = []
    for record in records {
      do {
        try await get(record)
      } catch let error as LicenseKitError where error.retry == .gone {
        missing.append(record)
      }
    }
    return missing
  }

  private func get(_ record: Existing) async throws {
    switch record {
    case .product(let id): _ = try await licenseKit.getProduct(id)
    case .policy(let id): _ = try await licenseKit.getPolicy(id)
    case .feature(let id): _ = try await licenseKit.getFeature(id)
    case .customer(_, let id): _ = try await licenseKit.getCustomer(id)
    case .subscription(_, let id): _ = try await licenseKit.getSubscription(id)
    case .order(_, let id): _ = try await licenseKit.getOrder(id)
    case .license(_, let id): _ = try await licenseKit.getLicense(id)
    }
  }

  private var ids: [(String, JSONValue)] {
    [("stripe_account", .string(tenant.account.rawValue)), ("livemode", .string(tenant.livemode ? "true" : "false"))]
  }

  // MARK: Commerce records

  /// Makes a record that may already exist because an earlier attempt's answer was lost.
  ///
  /// The contract has no look-up by code or external id, only the newest 200. A record older than those cannot be found, so
  /// another is made under a different name, because otherwise the sale would wait forever.
  private func make<Made: Sendable>(
    _ name: String, create: (String) async throws(LicenseKitError) -> Made,
    find: (String) async throws(LicenseKitError) -> Made?
  ) async throws(LicenseKitError) -> (made: Made, note: String?) {
    var names = [name, "\(name)-2", "\(name)-3"][...]
    while true {
      let name = names.removeFirst()
      do {
        return (try await create(name), nil)
      } catch {
        guard error.retry == .conflict else { throw error }
        if let known = try await find(name) { return (known, "It existed already.") }
        if names.isEmpty { throw error }
      }
    }
  }

  private func createCustomer(_ customer: DesiredCustomer) async throws -> StepOutcome {
    let (made, note) = try await make(customer.code) { code throws(LicenseKitError) in
      try await licenseKit.createCustomer(
        CustomerCreateRequest(
          name: customer.name, code: code, email: customer.email,
          metadata: JSONObject(ids + [("stripe_customer", .string(customer.stripeCustomer?.rawValue ?? "guest"))])))
    } find: { code throws(LicenseKitError) in
      try await licenseKit.listCustomers(limit: 200).first { $0.code == code }
    }
    return StepOutcome(result: .customer(made.id), note: note)
  }

  private func updateCustomer(_ customer: DesiredCustomer, _ recorded: Recorded) async throws -> StepOutcome {
    guard let known = recorded.customers[customer.code] else { return StepOutcome(result: .done) }
    do {
      _ = try await licenseKit.updateCustomer(
        known, CustomerUpdateRequest(name: customer.name, email: customer.email))
      return StepOutcome(result: .done)
    } catch {
      guard error.retry == .gone else { throw error }
      return StepOutcome(result: .done, note: "The customer is gone from LicenseKit.")
    }
  }

  private func createSubscription(_ record: DesiredSubscription, _ recorded: Recorded) async throws -> StepOutcome {
    let (made, note) = try await make(record.externalID) { externalID throws(LicenseKitError) in
      try await licenseKit.createSubscription(
        record.product,
        SubscriptionCreateRequest(
          customerID: customerID(recorded), externalSystem: externalSystem, externalID: externalID,
          status: record.status, currentPeriodStart: record.periodStart, currentPeriodEnd: record.periodEnd,
          cancelAtPeriodEnd: record.cancelAtPeriodEnd, canceledAt: record.canceledAt, metadata: JSONObject(ids)))
    } find: { externalID throws(LicenseKitError) in
      try await licenseKit.listProductSubscriptions(record.product, limit: 200)
        .first { $0.externalSystem == externalSystem && $0.externalID == externalID }
    }
    return StepOutcome(result: .subscription(made.id), note: note)
  }

  private func updateSubscription(_ record: DesiredSubscription, _ recorded: Recorded) async throws -> StepOutcome {
    if let known = recorded.subscriptions[.init(product: record.product, externalID: record.externalID)] {
      _ = try await licenseKit.updateSubscription(
        known.id,
        SubscriptionUpdateRequest(
          status: record.status, currentPeriodStart: record.periodStart, currentPeriodEnd: record.periodEnd,
          cancelAtPeriodEnd: record.cancelAtPeriodEnd, canceledAt: record.canceledAt))
    }
    return StepOutcome(result: .done)
  }

  private func createOrder(_ order: DesiredOrder, _ recorded: Recorded) async throws -> StepOutcome {
    let (made, note) = try await make(order.externalID) { externalID throws(LicenseKitError) in
      try await licenseKit.createOrder(
        order.product,
        OrderCreateRequest(
          customerID: customerID(recorded), subscriptionID: subscriptionID(order.subscription, order.product, recorded),
          externalSystem: externalSystem, externalID: externalID, status: .paid, periodStart: order.periodStart,
          periodEnd: order.periodStart == nil ? nil : order.periodEnd, metadata: JSONObject(ids + sold(order))))
    } find: { externalID throws(LicenseKitError) in
      try await licenseKit.listProductOrders(order.product, limit: 200)
        .first { $0.externalSystem == externalSystem && $0.externalID == externalID }
    }
    return StepOutcome(result: .order(made.id), note: note)
  }

  /// What an order is about, in Stripe's words. The invoice of a subscription's order is in its external id.
  private func sold(_ order: DesiredOrder) -> [(String, JSONValue)] {
    let named = [
      ("stripe_price", order.price?.rawValue), ("stripe_product", order.stripeProduct?.rawValue),
      ("stripe_payment", order.subscription == nil ? payment?.rawValue : nil),
    ]
    return named.compactMap { name, id in id.map { (name, .string($0)) } }
  }

  private func customerID(_ recorded: Recorded) -> LicenseKitAPI.CustomerID? {
    customer.flatMap { recorded.customers[$0.code] }
  }

  private func subscriptionID(
    _ externalID: String?, _ product: ProductID, _ recorded: Recorded
  ) -> LicenseKitAPI.SubscriptionID? {
    externalID.flatMap { recorded.subscriptions[.init(product: product, externalID: $0)]?.id }
  }

  // MARK: Licenses

  /// The unit's name at LicenseKit. It is the same for every attempt, even after the purchase was merged with another.
  private func unitName(_ unit: UnitKey, generation: Int) -> String {
    let text = [
      tenant.account.rawValue, tenant.livemode ? "live" : "test", unit.line, unit.product.rawValue,
      String(unit.ordinal), String(generation),
    ].joined(separator: "|")
    return SHA256.hexHash(text)
  }

  /// Issues the license of a unit.
  ///
  /// An earlier attempt may have made a license whose key was lost with the answer. A server that knows the Idempotency-Key
  /// returns the same license and key again. Any other server makes a second license; then the first, whose key nobody has,
  /// is found by its order and unit name and revoked.
  private func issue(
    _ unit: DesiredUnit, policy: PolicyID, generation: Int, _ recorded: Recorded
  ) async throws -> StepOutcome {
    let name = unitName(unit.key, generation: generation)
    let order = unit.order.flatMap { recorded.orders[.init(product: unit.key.product, externalID: $0)]?.id }
    let subscription = subscriptionID(unit.subscription, unit.key.product, recorded)
    let wasCutOff = recorded.units[unit.key].map { $0.license == .issuing && $0.generation == generation } ?? false
    let body = LicenseCreateRequest(
      productID: unit.key.product, policyID: policy, customerID: customerID(recorded), orderID: order,
      subscriptionID: subscription, customerEmail: customer?.email, customerName: customer?.name,
      startsAt: unit.startsAt, expiresAt: unit.expiresAt,
      metadata: JSONObject(ids + [("stripe_line", .string(unit.key.line)), ("unit", .string(name))]))
    // The key covers the body: an attempt after a renewal or a changed address is another request, which a server refuses
    // under the first key. What the first attempt left behind is then revoked below.
    let key = SHA256.hexHash("\(name) \(try JSONCoding.encode(body).canonicalText())")
    let made = try await licenseKit.createLicense(body, idempotencyKey: key)
    var status: LicenseStatus?
    if wasCutOff {
      _ = try await revokeOrphans(of: name, besides: made.license.id, unit: unit, order: order, subscription)
      // A repeated answer is as old as the first one.
      do {
        status = try await licenseKit.getLicense(made.license.id).status
      } catch {
        guard error.retry == .gone else { throw error }
        status = .revoked
      }
    }
    let hint = "\(made.license.licenseKeyPrefix)…\(made.license.licenseKeyLast4)"
    return StepOutcome(
      result: .license(made.license.id), key: made.licenseKey, keyHint: hint,
      note: "License \(made.license.id), \(hint)", status: status)
  }

  /// Revokes what attempts to issue a license may have left behind.
  /// - Returns: the licenses that they had made.
  func revokeLost(_ unit: DesiredUnit, generation: Int, _ recorded: Recorded) async throws -> [LicenseID] {
    let order = unit.order.flatMap { recorded.orders[.init(product: unit.key.product, externalID: $0)]?.id }
    return try await revokeOrphans(
      of: unitName(unit.key, generation: generation), besides: nil, unit: unit, order: order,
      subscriptionID(unit.subscription, unit.key.product, recorded))
  }

  private func revokeOrphans(
    of name: String, besides kept: LicenseID?, unit: DesiredUnit, order: OrderID?,
    _ subscription: LicenseKitAPI.SubscriptionID?
  ) async throws -> [LicenseID] {
    guard order != nil || subscription != nil else { return [] }
    // By subscription if there is one: the earlier attempt may have named another of its orders.
    let licenses = try await licenseKit.listLicenses(
      LicenseFilter(
        productID: unit.key.product, orderID: subscription == nil ? order : nil, subscriptionID: subscription,
        limit: 200))
    let found = licenses.filter { $0.id != kept && $0.metadata["unit"]?.string == name }
    for license in found where license.status != .revoked { _ = try await licenseKit.revokeLicense(license.id) }
    return found.map(\.id)
  }

  private func renew(
    _ key: UnitKey, until: Date, order: String?, subscription: String?, _ recorded: Recorded
  ) async throws -> StepOutcome {
    guard let license = recorded.licenseID(key) else { return StepOutcome(result: .done) }
    // The body depends on the target alone, so that a repetition is the same request.
    let seconds = Int64(until.timeIntervalSince1970.rounded())
    do {
      let renewed = try await licenseKit.renewLicense(
        license, LicenseRenewRequest(expiresAt: until), idempotencyKey: "stripe:renew:\(license):\(seconds)")
      return StepOutcome(result: .done, note: renewed.expiresAt.map { "Valid until \($0.formatted(.iso8601))" })
    } catch {
      guard error.retry == .configuration || error.retry == .conflict else { throw error }
      // Renewals only move forward: the license is valid as long or longer already, for example because it was extended by
      // hand.
      let known = try await licenseKit.getLicense(license)
      guard let expiresAt = known.expiresAt, expiresAt >= until else { throw error }
      return StepOutcome(result: .done, note: "It is already valid for longer.")
    }
  }

  private func remove(_ feature: FeatureID, from license: LicenseID) async throws {
    do {
      try await licenseKit.removeLicenseFeature(license, feature)
    } catch {
      guard error.retry == .gone else { throw error }
    }
  }
}

extension [String: String] {
  /// A short name for these values; equal values have the same name.
  var hashText: String {
    SHA256.hexHash(sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: "\n"))
  }
}
