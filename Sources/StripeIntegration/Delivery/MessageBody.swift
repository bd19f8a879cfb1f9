import Delivery
import Foundation
import Identity
import JSON
import LicenseKitAPI
import Postgres
import Purchases
import StripeAPI
import Tenancy

/// The body of a message. It is made for each attempt, out of the records and the key vault: a license key is never
/// stored in the clear, and two attempts at the same message have the same bytes unless the records have changed.
struct MessageBody: Encodable, Sendable {
  let id: String
  let type: String
  let createdAt: Date
  let accountID: Stripe.AccountID
  let livemode: Bool
  /// Counts the messages about this license: receivers put them in order by it.
  @OrNull var sequence: Int64?
  let data: Data

  struct Data: Encodable, Sendable {
    var test: Bool?
    var license: License?
    var fulfillmentID: PurchaseID?
    var purchase: Purchase?
    var customer: Customer?
    var productID: ProductID?
    @OrNull var policyID: PolicyID?
    @OrNull var reason: String?
  }

  struct License: Encodable, Sendable {
    let id: LicenseID
    let status: String
    @OrNull var keyHint: String?
    @OrNull var expiresAt: Date?
    let ordinal: Int
    /// Only in `license.issued`, and only where the endpoint is to have it.
    var licenseKey: String?
    /// The names of what has changed.
    let changed: [String]
    /// The former values of what has changed.
    let previous: JSONObject
  }

  struct Purchase: Encodable, Sendable {
    let kind: String
    let stripeID: String
  }

  struct Customer: Encodable, Sendable {
    @OrNull var stripeID: Stripe.CustomerID?
    @OrNull var licensekitID: LicenseKitAPI.CustomerID?
  }
}

/// Reads what a message says, within a transaction of its tenant.
struct MessageReader {
  let tenant: Tenant
  let transaction: PostgresTransaction

  /// A message that proves nothing but that messages arrive.
  func test(_ delivery: MessageDeliveryID, createdAt: Date) -> MessageBody {
    MessageBody(
      id: delivery.rawValue, type: MessageType.test, createdAt: createdAt, accountID: tenant.account,
      livemode: tenant.livemode, sequence: nil, data: .init(test: true))
  }

  /// - Parameter key: gives the key of a license that was issued, for endpoints that are to have it.
  /// - Returns: nil when the message is not there any more.
  func body(
    of message: LicenseMessageID, key: (LicenseID) async throws -> String?
  ) async throws -> MessageBody? {
    let row = try await transaction.query(
      """
      SELECT n.type, n.license_id, n.sequence, n.purchase_id, n.line_key, n.licensekit_product_id, n.ordinal, n.status,
             n.previous_status, n.expires_at, n.previous_expires_at, n.reason, n.created_at, u.key_hint, u.policy_id
        FROM stripe_integration.notices n
        LEFT JOIN stripe_integration.units u
          ON u.account_id = n.account_id
         AND u.livemode   = n.livemode
         AND u.license_id = n.license_id
       WHERE n.account_id = \(tenant.account)
         AND n.livemode   = \(tenant.livemode)
         AND n.notice_id  = \(message)
      """
    ).first
    guard let row else { return nil }
    let type: String = try row.get("type")
    let license: LicenseID = try row.get("license_id")
    let product: ProductID = try row.get("licensekit_product_id")
    let reader = FulfillmentReader(tenant: tenant, transaction: transaction)
    let told: PurchaseID = try row.get("purchase_id")
    let id = try await reader.purchase(of: told.rawValue) ?? told
    let purchase = try await reader.row(id)
    return MessageBody(
      id: message.rawValue, type: type, createdAt: try row.get("created_at"), accountID: tenant.account,
      livemode: tenant.livemode, sequence: try row.get("sequence"),
      data: .init(
        license: try Self.license(
          row, license, key: type == MessageType.issued.rawValue ? try await key(license) : nil),
        fulfillmentID: id, purchase: purchase.map { .init(kind: $0.kind, stripeID: $0.stripeID) },
        customer: try await purchase.asyncMap { try await customer(of: $0) },
        productID: product, policyID: try await policy(row, of: id, product: product),
        reason: try row.get("reason")))
  }

  private static func license(_ row: PostgresRow, _ id: LicenseID, key: String?) throws -> MessageBody.License {
    let (status, expiresAt): (String, Date?) = (try row.get("status"), try row.get("expires_at"))
    let formerStatus: String? = try row.get("previous_status")
    let formerExpiry: Date? = try row.get("previous_expires_at")
    var changed: [String] = []
    var previous = JSONObject()
    if formerStatus != status {
      changed.append("status")
      if let formerStatus { previous["status"] = .string(formerStatus) }
    }
    if formerExpiry != expiresAt {
      changed.append("expires_at")
      if formerStatus != nil {
        previous["expires_at"] = formerExpiry.map { .string(RFC3339.string(from: $0)) } ?? .null
      }
    }
    return MessageBody.License(
      id: id, status: status, keyHint: try row.get("key_hint"), expiresAt: expiresAt, ordinal: try row.get("ordinal"),
      licenseKey: key, changed: changed, previous: previous)
  }

  private func customer(of purchase: PurchaseRow) async throws -> MessageBody.Customer {
    let code = FulfillmentParts.customerCode(purchase, tenant)
    return MessageBody.Customer(
      stripeID: purchase.customerID,
      licensekitID: try await RecordStore(tenant: tenant, purchase: purchase.id, transaction: transaction)
        .customer(code)?.id)
  }

  /// The policy that the license was issued under, or else that of the terms it was sold under.
  private func policy(_ row: PostgresRow, of purchase: PurchaseID, product: ProductID) async throws -> PolicyID? {
    if let policy: PolicyID = try row.get("policy_id") { return policy }
    let line: String = try row.get("line_key")
    return try await transaction.query(
      """
      SELECT terms::text AS terms
        FROM stripe_integration.lines
       WHERE account_id            = \(tenant.account)
         AND livemode              = \(tenant.livemode)
         AND purchase_id           = \(purchase)
         AND line_key              = \(line)
         AND licensekit_product_id = \(product)
      """
    ).first.map { row in try StoredJSON.value(Terms.self, from: row.get("terms")).policy }
  }
}

extension Optional {
  fileprivate func asyncMap<T>(_ body: (Wrapped) async throws -> T) async rethrows -> T? {
    guard let self else { return nil }
    return try await body(self)
  }
}
