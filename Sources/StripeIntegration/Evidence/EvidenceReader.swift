import Foundation
import Identity
import LicenseKitAPI
import Postgres
import Purchases
import StripeAPI

/// Reads what this service has on record about a disputed payment, within a transaction of its tenant.
struct EvidenceReader {
  let tenant: Tenant
  let transaction: PostgresTransaction

  static let mostLicenses = 20
  static let mostSendings = 50
  static let mostRenewals = 60

  /// - Parameter charge: the disputed charge at Stripe, which names the buyer.
  /// - Returns: nil if no sale of this payment is known.
  func record(of payment: String, buyer: EvidenceBuyer) async throws -> EvidenceRecord? {
    let reader = FulfillmentReader(tenant: tenant, transaction: transaction)
    guard let id = try await reader.purchase(of: payment), let purchase = try await reader.row(id) else { return nil }
    let licenses = try await licenses(of: id)
    let knowledge = try await FactStore(tenant: tenant, transaction: transaction).knowledge(of: id)
    return EvidenceRecord(
      purchaseID: id, kind: purchase.kind, stripeID: purchase.stripeID, boughtAt: purchase.createdAt,
      customerName: buyer.name, customerEmail: buyer.email, licenses: licenses,
      sendings: try await sendings(of: licenses.map(\.id.rawValue)), renewals: try await renewals(of: id),
      isManaged: knowledge.isManaged)
  }

  /// Has the ids of product and policy in place of their names.
  private func licenses(of purchase: PurchaseID) async throws -> [EvidenceRecord.License] {
    try await transaction.query(
      """
      SELECT u.license_id, u.key_hint, u.issued_at, u.expires_at, u.licensekit_product_id, l.terms ->> 'policy' AS policy
        FROM stripe_integration.units u
        LEFT JOIN stripe_integration.lines l
          ON l.account_id            = u.account_id
         AND l.livemode              = u.livemode
         AND l.purchase_id           = u.purchase_id
         AND l.line_key              = u.line_key
         AND l.licensekit_product_id = u.licensekit_product_id
       WHERE u.account_id  = \(tenant.account)
         AND u.livemode    = \(tenant.livemode)
         AND u.purchase_id = \(purchase)
         AND u.license_id IS NOT NULL
       ORDER BY u.line_key, u.licensekit_product_id, u.ordinal
       LIMIT \(Self.mostLicenses)
      """
    ).map { row in
      EvidenceRecord.License(
        id: try row.get("license_id"), keyHint: try row.get("key_hint"), issuedAt: try row.get("issued_at"),
        expiresAt: try row.get("expires_at"), product: try row.get("licensekit_product_id"),
        policy: try row.get("policy", as: String?.self) ?? "")
    }
  }

  /// The audit log keeps each opening of a key for a mail for good. The result of the mail is known while deliveries are
  /// kept.
  private func sendings(of licenses: [String]) async throws -> [EvidenceRecord.Sending] {
    try await transaction.query(
      """
      SELECT a.at, a.target, d.state
        FROM stripe_integration.audit a
        LEFT JOIN stripe_integration.deliveries d
          ON d.account_id  = a.account_id
         AND d.livemode    = a.livemode
         AND d.delivery_id = a.detail
       WHERE a.account_id = \(tenant.account)
         AND a.livemode   = \(tenant.livemode)
         AND a.target     = ANY(\(licenses))
         AND a.action     = 'license.mail'
       ORDER BY a.entry_id
       LIMIT \(Self.mostSendings)
      """
    ).map { row in
      let state = try row.get("state", as: String?.self)
      return EvidenceRecord.Sending(
        at: try row.get("at"), license: try row.get("target"),
        wasAccepted: state == "succeeded" ? true : state == "failed" ? false : nil)
    }
  }

  /// The steps that applied a paid period, in the words of `Step.sentence`.
  private func renewals(of purchase: PurchaseID) async throws -> [EvidencePack.Fact] {
    try await transaction.query(
      """
      SELECT at, title
        FROM stripe_integration.timeline
       WHERE account_id  = \(tenant.account)
         AND livemode    = \(tenant.livemode)
         AND purchase_id = \(purchase)
         AND kind        = 'step'
         AND state       = 'succeeded'
         AND title LIKE 'Renew license %'
       ORDER BY entry_id DESC
       LIMIT \(Self.mostRenewals)
      """
    ).map { row in EvidencePack.Fact(try row.get("at"), try row.get("title")) }.reversed()
  }
}

/// The payer according to Stripe's charge.
struct EvidenceBuyer: Sendable, Hashable {
  let name: String?
  let email: String?
}
