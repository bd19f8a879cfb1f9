import Foundation
import Identity
import JSON
import LicenseKitAPI
import Postgres
import ServerKit
import StripeAPI
import Tenancy

/// Answers a buyer who asks what is stored, or asks to be forgotten.
struct BuyerRequests: Sendable {
  let database: TenantDatabase
  let licenseKit: any LicenseKitAccess

  /// Everything that is stored about a buyer, here and at LicenseKit.
  struct Export: Encodable, Sendable {
    struct Said: Encodable, Sendable {
      /// The Stripe object, or the question about it, that this comes from.
      let about: String
      let says: JSONValue
    }
    struct Licensed: Encodable, Sendable {
      let license: License
      let devices: [Device]
    }

    @OrNull var stripeCustomer: String?
    let fulfillments: [String]
    let stripe: [Said]
    let customers: [Customer]
    let licenses: [Licensed]
  }

  /// What was removed.
  struct Erasure: Encodable, Sendable {
    @OrNull var stripeCustomer: String?
    let fulfillments: [String]
    let customers: [String]
  }

  /// The name that a forgotten customer gets at LicenseKit.
  static let erasedName = "Erased"

  /// - Parameters:
  ///   - id: of a Stripe customer, or any id of a purchase.
  ///   - entry: makes the audit entry from the buyer's name in the audit log.
  /// - Returns: nil if nothing is known about the id.
  func export(
    _ id: String, of tenant: Tenant, entry: @escaping @Sendable (String) -> AuditLog.Entry
  ) async throws -> Export? {
    let found = try await database.transaction(for: tenant) { transaction -> Found? in
      guard let found = try await Self.find(id, of: tenant, in: transaction) else { return nil }
      try await AuditLog(tenant: tenant, transaction: transaction).add(entry(found.buyer.name))
      return found
    }
    guard let found else { return nil }
    let client = try await licenseKit.client(for: tenant)
    var customers: [Customer] = []
    var licenses: [Export.Licensed] = []
    for id in found.customers {
      guard let customer = try await Self.unlessGone({ try await client.getCustomer(id) }) else { continue }
      customers.append(customer)
    }
    for id in found.licenses {
      guard let license = try await Self.unlessGone({ try await client.getLicense(id) }) else { continue }
      licenses.append(
        .init(license: license, devices: try await client.listLicenseDevices(id, limit: Self.mostDevices)))
    }
    return Export(
      stripeCustomer: found.buyer.customer?.rawValue, fulfillments: found.buyer.purchases.map(\.rawValue),
      stripe: found.facts, customers: customers, licenses: licenses)
  }

  private static let mostDevices = 200

  /// Removes the buyer's name and addresses, here and at LicenseKit. What was sold and given stays under its ids. Repeating
  /// it does no harm.
  ///
  /// LicenseKit comes first: the ids that lead there are kept, so that an erasure that fails halfway can be asked for again.
  func erase(
    _ id: String, of tenant: Tenant, entry: @escaping @Sendable (String) -> AuditLog.Entry
  ) async throws -> Erasure? {
    let found = try await database.transaction(for: tenant) { transaction in
      try await Self.find(id, of: tenant, in: transaction)
    }
    guard let found else { return nil }
    let client = try await licenseKit.client(for: tenant)
    for id in found.customers {
      _ = try await Self.unlessGone {
        try await client.updateCustomer(id, CustomerUpdateRequest(name: Self.erasedName, email: ""))
      }
    }
    try await database.transaction(for: tenant) { transaction in
      try await TenantLock.take(tenant, in: transaction)
      try await BuyerRecords(tenant: tenant, transaction: transaction).erase(found.buyer, withEvents: true)
      for purchase in found.buyer.purchases {
        try await Timeline(tenant: tenant, purchase: purchase, transaction: transaction)
          .add(.note, "The buyer's name and addresses were erased.", detail: nil)
      }
      try await AuditLog(tenant: tenant, transaction: transaction).add(entry(found.buyer.name))
    }
    return Erasure(
      stripeCustomer: found.buyer.customer?.rawValue, fulfillments: found.buyer.purchases.map(\.rawValue),
      customers: found.customers.map(\.rawValue))
  }

  // MARK: Finding

  private struct Found: Sendable {
    let buyer: Buyer
    let facts: [Export.Said]
    let customers: [LicenseKitAPI.CustomerID]
    let licenses: [LicenseID]
  }

  private static func find(
    _ id: String, of tenant: Tenant, in transaction: PostgresTransaction
  ) async throws -> Found? {
    let records = BuyerRecords(tenant: tenant, transaction: transaction)
    let buyer: Buyer?
    if id.hasPrefix("cus_") {
      buyer = try await records.buyer(Stripe.CustomerID(id))
    } else if let purchase = try await FulfillmentReader(tenant: tenant, transaction: transaction).purchase(of: id) {
      buyer = try await records.buyer(of: purchase)
    } else {
      buyer = nil
    }
    guard let buyer else { return nil }
    let ids = try await records.ids(of: buyer)
    return Found(
      buyer: buyer,
      facts: try await records.facts(about: ids).map { .init(about: $0.key, says: $0.snapshot) },
      customers: try await records.customers(of: buyer, ids: ids), licenses: try await records.licenses(of: buyer))
  }

  /// A record that is gone from LicenseKit contains nothing any more.
  private static func unlessGone<T: Sendable>(_ body: () async throws -> T) async throws -> T? {
    do { return try await body() } catch let error as LicenseKitError where error.retry == .gone { return nil }
  }
}
