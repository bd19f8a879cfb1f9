import Foundation
import Identity
import JSON
import LicenseKitAPI
import Postgres
import Purchases
import StripeAPI
import Tenancy

/// A person who bought something: a customer of the vendor's Stripe account, or the guest of one purchase.
struct Buyer: Hashable, Sendable {
  let customer: Stripe.CustomerID?
  /// All that the customer bought, or the guest's one purchase.
  let purchases: [PurchaseID]

  /// The buyer's name in the audit log.
  var name: String { customer?.rawValue ?? purchases.first?.rawValue ?? "" }
}

/// What is stored here about a buyer, within a transaction of the tenant: to show it, and to remove it.
struct BuyerRecords {
  let tenant: Tenant
  let transaction: PostgresTransaction

  // MARK: Finding

  /// - Parameter purchase: a purchase of the buyer, which leads to all others.
  func buyer(of purchase: PurchaseID) async throws -> Buyer? {
    let row = try await transaction.query(
      """
      SELECT customer_id
        FROM stripe_integration.purchases
       WHERE account_id  = \(tenant.account)
         AND livemode    = \(tenant.livemode)
         AND purchase_id = \(purchase)
      """
    ).first
    guard let row else { return nil }
    if let customer: Stripe.CustomerID = try row.get("customer_id") { return try await buyer(customer) }
    return Buyer(customer: nil, purchases: [purchase])
  }

  /// A Stripe customer; nil if that customer is unknown.
  func buyer(_ customer: Stripe.CustomerID) async throws -> Buyer? {
    let purchases: [PurchaseID] = try await transaction.query(
      """
      SELECT purchase_id
        FROM stripe_integration.purchases
       WHERE account_id  = \(tenant.account)
         AND livemode    = \(tenant.livemode)
         AND customer_id = \(customer)
         AND merged_into IS NULL
       ORDER BY created_at, purchase_id
      """
    ).map { row in try row.get("purchase_id") }
    if purchases.isEmpty {
      guard try await FactStore(tenant: tenant, transaction: transaction).fact(FactKey(customer)) != nil else {
        return nil
      }
    }
    return Buyer(customer: customer, purchases: purchases)
  }

  /// The Stripe ids in facts and events about the buyer.
  func ids(of buyer: Buyer) async throws -> [String] {
    let aliases: [String] = try await transaction.query(
      """
      SELECT stripe_id
        FROM stripe_integration.aliases
       WHERE account_id  = \(tenant.account)
         AND livemode    = \(tenant.livemode)
         AND purchase_id = ANY(\(buyer.purchases.map(\.rawValue)))
       ORDER BY stripe_id
      """
    ).map { row in try row.get("stripe_id") }
    return aliases + [buyer.customer?.rawValue].compactMap { $0 }
  }

  // MARK: Reading

  /// What is known about the buyer, by the object that it comes from.
  func facts(about ids: [String]) async throws -> [(key: String, snapshot: JSONValue)] {
    try await transaction.query(
      """
      SELECT fact_key, snapshot::text AS snapshot
        FROM stripe_integration.facts
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
         AND subject    = ANY(\(ids))
       ORDER BY fact_key
      """
    ).map { row in (try row.get("fact_key"), try JSONValue(parsing: row.get("snapshot", as: String.self))) }
  }

  /// The licenses that were issued to the buyer.
  func licenses(of buyer: Buyer) async throws -> [LicenseID] {
    try await transaction.query(
      """
      SELECT license_id
        FROM stripe_integration.units
       WHERE account_id  = \(tenant.account)
         AND livemode    = \(tenant.livemode)
         AND purchase_id = ANY(\(buyer.purchases.map(\.rawValue)))
         AND license_id IS NOT NULL
       ORDER BY license_id
      """
    ).map { row in try row.get("license_id") }
  }

  /// The customers at LicenseKit that were made for the buyer.
  func customers(of buyer: Buyer, ids: [String]) async throws -> [LicenseKitAPI.CustomerID] {
    let codes = ids.map { DesiredCustomer.code(of: Self.subject($0, buyer), tenant) }
    return try await transaction.query(
      """
      SELECT licensekit_id
        FROM stripe_integration.licensekit_records
       WHERE account_id  = \(tenant.account)
         AND livemode    = \(tenant.livemode)
         AND kind        = 'customer'
         AND external_id = ANY(\(codes))
       ORDER BY external_id
      """
    ).map { row in try row.get("licensekit_id") }
  }

  /// What the buyer's record at LicenseKit is named after: the customer, or the object of a guest's purchase.
  private static func subject(_ id: String, _ buyer: Buyer) -> String {
    id == buyer.customer?.rawValue ? id : DesiredCustomer.guest(id)
  }

  // MARK: Erasing

  /// Removes names, addresses and the like from what is kept for good: facts, and what was last written to LicenseKit. What
  /// was sold, paid and given stays under its ids.
  /// - Parameter withEvents: whether to remove them also from the events, which are kept for only 30 days.
  func erase(_ buyer: Buyer, withEvents: Bool) async throws {
    let ids = try await ids(of: buyer)
    for (key, snapshot) in try await facts(about: ids) {
      let less = PersonalData.removed(fromSnapshot: snapshot)
      guard less != snapshot else { continue }
      try await transaction.query(
        """
        UPDATE stripe_integration.facts
           SET snapshot   = \(less.text())::text::jsonb,
               updated_at = now()
         WHERE account_id = \(tenant.account)
           AND livemode   = \(tenant.livemode)
           AND fact_key   = \(key)
        """)
    }
    try await eraseContacts(of: buyer, ids)
    if withEvents { try await eraseEvents(about: ids) }
  }

  /// Records as if the buyer had never given a name, so that nothing counts as a change.
  private func eraseContacts(of buyer: Buyer, _ ids: [String]) async throws {
    for id in ids {
      let subject = Self.subject(id, buyer)
      let contact = DesiredCustomer.Contact(name: DesiredCustomer.name(of: subject), email: nil)
      try await transaction.query(
        """
        UPDATE stripe_integration.licensekit_records
           SET applied    = \(try StoredJSON.text(contact))::text::jsonb,
               updated_at = now()
         WHERE account_id  = \(tenant.account)
           AND livemode    = \(tenant.livemode)
           AND kind        = 'customer'
           AND external_id = \(DesiredCustomer.code(of: subject, tenant))
        """)
    }
  }

  /// Events are kept for 30 days, and event sync compares them with Stripe's list. So they stay, without the person's data.
  private func eraseEvents(about ids: [String]) async throws {
    guard !ids.isEmpty else { return }
    let rows = try await transaction.query(
      """
      SELECT event_id, body
        FROM stripe_integration.inbox
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
         AND state     <> 'new'
         AND body LIKE ANY(\(ids.map { "%\"\($0.replacing("_", with: "\\_"))\"%" }))
      """)
    for row in rows {
      guard let body = try? JSONValue(ofOutside: Array(row.get("body", as: String.self).utf8)) else { continue }
      let less = PersonalData.removed(from: body)
      guard less != body else { continue }
      try await transaction.query(
        """
        UPDATE stripe_integration.inbox
           SET body = \(less.text())
         WHERE account_id = \(tenant.account)
           AND livemode   = \(tenant.livemode)
           AND event_id   = \(try row.get("event_id", as: String.self))
        """)
    }
  }
}
