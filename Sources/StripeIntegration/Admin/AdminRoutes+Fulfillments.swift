import Foundation
import Hummingbird
import Identity
import LicenseKitAPI
import Postgres
import ServerKit
import StripeAPI
import Tenancy

extension AdminRoutes {
  func listFulfillments(_ call: AdminCall) async throws -> Response {
    let request = try PageRequest(call.query)
    let cursor = try request.time()
    let filter = FulfillmentReader.Filter(
      status: try call.query.value("status"), object: try Self.plausible("object", in: call.query))
    let now = clock()
    let page = try await database.transaction(for: call.tenant) { transaction in
      let reader = FulfillmentReader(tenant: call.tenant, transaction: transaction)
      let page = try await reader.page(filter, after: cursor, limit: request.limit + 1)
        .page(request.limit) { $0.cursor.text }
      let parts = try await FulfillmentParts(of: page.items, tenant: call.tenant, transaction: transaction)
      return (items: page.items.map { FulfillmentView($0, parts, of: call.tenant, now: now) }, next: page.next)
    }
    return try Answer.page(page.items, nextCursor: page.next, context: call.context)
  }

  func getFulfillment(_ call: AdminCall) async throws -> Response {
    let id = try call.id("id")
    let view = try await database.transaction(for: call.tenant) { transaction in
      try await fulfillment(id, of: call.tenant, in: transaction)
    }
    guard let view else { throw APIFailure.notFound() }
    return try Answer.data(view, context: call.context)
  }

  /// Has a purchase looked at again, whatever its state.
  func replayFulfillment(_ call: AdminCall) async throws -> Response {
    let id = try call.id("id")
    let view = try await database.transaction(for: call.tenant) { transaction -> FulfillmentView? in
      let reader = FulfillmentReader(tenant: call.tenant, transaction: transaction)
      guard let purchase = try await reader.purchase(of: id) else { return nil }
      let index = PurchaseIndex(tenant: call.tenant, transaction: transaction)
      try await TenantLock.take(index.tenant, in: index.transaction)
      try await index.requestReconcile(of: purchase, inspecting: true)
      try await Timeline(tenant: call.tenant, purchase: purchase, transaction: transaction)
        .add(.note, "Replay requested.", detail: call.caller.actor)
      try await AuditLog(tenant: call.tenant, transaction: transaction)
        .add(call.entry("fulfillment.replay", purchase.rawValue))
      return try await fulfillment(purchase.rawValue, of: call.tenant, in: transaction)
    }
    guard let view else { throw APIFailure.notFound() }
    wakeUp.signal()
    return try Answer.data(view, context: call.context)
  }

  /// Ends the manual override of a license, so that the license follows the payments again.
  func releaseLicense(_ call: AdminCall) async throws -> Response {
    let (id, license) = (try call.id("id"), LicenseID(try call.id("license_id")))
    let view = try await database.transaction(for: call.tenant) { transaction -> FulfillmentView? in
      let reader = FulfillmentReader(tenant: call.tenant, transaction: transaction)
      guard let purchase = try await reader.purchase(of: id) else { return nil }
      let index = PurchaseIndex(tenant: call.tenant, transaction: transaction)
      try await TenantLock.take(index.tenant, in: index.transaction)
      let released = try await transaction.query(
        """
        UPDATE stripe_integration.units
           SET by_hand    = '{}',
               updated_at = now()
         WHERE account_id  = \(call.tenant.account)
           AND livemode    = \(call.tenant.livemode)
           AND license_id  = \(license)
           AND purchase_id = \(purchase)
        """)
      guard released.affectedRows == 1 else { return nil }
      // A run under way knows the license in its old state, so it loses its lease and another run looks again.
      try await index.interrupt(purchase)
      try await index.requestReconcile(of: purchase)
      try await Timeline(tenant: call.tenant, purchase: purchase, transaction: transaction)
        .add(.note, "License \(license) was released: it follows the payments again.", detail: call.caller.actor)
      try await AuditLog(tenant: call.tenant, transaction: transaction)
        .add(call.entry("license.release", license.rawValue, detail: purchase.rawValue))
      return try await fulfillment(purchase.rawValue, of: call.tenant, in: transaction)
    }
    guard let view else { throw APIFailure.notFound() }
    wakeUp.signal()
    return try Answer.data(view, context: call.context)
  }

  /// Reveals the key of a license, and notes in the audit log who saw it.
  func revealKey(_ call: AdminCall) async throws -> Response {
    let (id, license) = (try call.id("id"), LicenseID(try call.id("license_id")))
    let key = try await database.transaction(for: call.tenant) { transaction -> String? in
      let reader = FulfillmentReader(tenant: call.tenant, transaction: transaction)
      guard let purchase = try await reader.purchase(of: id) else { return nil }
      let isOfPurchase =
        try await transaction.query(
          """
          SELECT FROM stripe_integration.units
           WHERE account_id  = \(call.tenant.account)
             AND livemode    = \(call.tenant.livemode)
             AND license_id  = \(license)
             AND purchase_id = \(purchase)
          """
        ).count > 0
      guard isOfPurchase, let key = try await vault.reveal(license, of: call.tenant, in: transaction) else {
        return nil
      }
      try await AuditLog(tenant: call.tenant, transaction: transaction)
        .add(call.entry("license.reveal", license.rawValue, detail: purchase.rawValue))
      return key
    }
    guard let key else { throw APIFailure.notFound() }
    return try Answer.data(RevealedKey(licenseKey: key), context: call.context)
  }

  private struct RevealedKey: Encodable { let licenseKey: String }

  private func fulfillment(
    _ id: String, of tenant: Tenant, in transaction: PostgresTransaction
  ) async throws -> FulfillmentView? {
    let reader = FulfillmentReader(tenant: tenant, transaction: transaction)
    guard let purchase = try await reader.purchase(of: id), let row = try await reader.row(purchase) else { return nil }
    let parts = try await FulfillmentParts(of: [row], tenant: tenant, transaction: transaction)
    var view = FulfillmentView(row, parts, of: tenant, now: clock())
    view.timeline = try await reader.timeline(of: purchase)
    return view
  }

  static func plausible(_ name: String, in query: QueryReader) throws(APIFailure) -> String? {
    guard let text = try query.string(name, maximumLength: 255) else { return nil }
    guard StripeIDText.isPlausible(text) else { throw .invalidQuery(field: name, "is not an id") }
    return text
  }
}
