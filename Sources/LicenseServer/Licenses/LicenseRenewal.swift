import Foundation
import Identity
import JSON
import LicenseKitAPI
import Postgres
import ServerKit

/// Renewal and transfer: the two management actions that add instead of set, and therefore need an idempotency key.
struct LicenseRenewal: Sendable {
  let store: TenantStore
  let clock: ServerClock

  /// Renewals can repeat for as long as a billing system may deliver an event again (Stripe: 30 days), and longer, because an
  /// operator may replay what failed weeks ago.
  static let retention: TimeInterval = 90 * IdempotentCall.day

  /// Moves the expiry forward. A suspended license stays suspended. Order and subscription are checked and noted in the
  /// audit trail; where the license came from does not change.
  func renew(
    _ id: LicenseID, _ body: LicenseRenewRequest, idempotencyKey: String?, for caller: Caller
  ) async throws -> StoredAnswer {
    let call = try IdempotentCall(
      "renewLicense", tenant: caller.tenant, subject: id.rawValue, key: IdempotentCall.checked(key: idempotencyKey),
      request: body, retention: Self.retention)
    let now = clock.now()
    return try await store.transaction(caller.tenant) { transaction in
      let record = try await LicenseRecord.find(id, for: caller, locked: true, now: now, in: transaction)
      if let answer = try await call.replay(now: now, in: transaction) { return StoredAnswer(bytes: answer) }

      let expiry = try record.lifecycle.renewed(body, type: record.type, at: now)
      let source = try await LicenseIssuing.origin(
        order: body.orderID?.unlessEmpty, subscription: body.subscriptionID?.unlessEmpty, of: record.license.productID,
        for: caller, in: transaction)
      try await transaction.query(
        """
        UPDATE license_server.licenses
           SET expires_at          = \(expiry),
               entitlement_version = entitlement_version + 1,
               updated_at          = \(now)
         WHERE tenant_id = \(caller.tenant) AND id = \(id)
        """)
      var facts = source.auditFacts
      facts["from"] = record.lifecycle.expiresAt.map { .string(RFC3339.string(from: $0)) }
      facts["expires_at"] = .string(RFC3339.string(from: expiry))
      try await EventLog.append(.licenseRenewed, id.rawValue, by: caller, at: now, metadata: facts, in: transaction)
      return try await answer(id, call, for: caller, now: now, in: transaction)
    }
  }

  /// Changes who holds a license. Names and addresses that are not given stay; empty ones are removed.
  ///
  /// - Throws: 409 for a revoked license or when the policy's transfers are used up; 422 when nothing is asked for.
  func transfer(
    _ id: LicenseID, _ body: LicenseTransferRequest, idempotencyKey: String?, for caller: Caller
  ) async throws -> StoredAnswer {
    let call = try IdempotentCall(
      "transferLicense", tenant: caller.tenant, subject: id.rawValue, key: IdempotentCall.checked(key: idempotencyKey),
      request: body, retention: Self.retention)
    let changesOwner = body.customerID != nil || body.customerEmail != nil || body.customerName != nil
    guard changesOwner || body.resetDevices == true else {
      throw APIFailure.validation("customer_id: give a new owner, or set reset_devices")
    }
    try Checks.length(body.customerEmail, "customer_email", maximum: 1_024)
    try Checks.length(body.customerName, "customer_name", maximum: 2_048)
    let now = clock.now()
    return try await store.transaction(caller.tenant) { transaction in
      let record = try await LicenseRecord.find(id, for: caller, locked: true, now: now, in: transaction)
      if let answer = try await call.replay(now: now, in: transaction) { return StoredAnswer(bytes: answer) }

      guard record.lifecycle.state != .revoked else {
        throw APIFailure.conflict("a revoked license cannot be transferred")
      }
      guard record.maxTransfers == 0 || record.license.timesTransferred < record.maxTransfers else {
        throw APIFailure.conflict("the policy allows \(record.maxTransfers) transfers", code: "TRANSFER_LIMIT_EXCEEDED")
      }
      try await Customers.require(body.customerID, for: caller, in: transaction)
      let customer = body.customerID == nil ? record.license.customerID : body.customerID?.unlessEmpty
      try await transaction.query(
        """
        UPDATE license_server.licenses
           SET customer_id       = \(customer),
               customer_email    = nullif(coalesce(\(body.customerEmail.map(BlankText.trimmed)), customer_email), ''),
               customer_name     = nullif(coalesce(\(body.customerName.map(BlankText.trimmed)), customer_name), ''),
               times_transferred = times_transferred + 1,
               updated_at        = \(now)
         WHERE tenant_id = \(caller.tenant) AND id = \(id)
        """)
      if body.resetDevices == true {
        try await Devices.releaseAll(of: id, as: .reset, for: caller, now: now, in: transaction)
      }
      var facts: JSONObject = ["reset_devices": .bool(body.resetDevices ?? false)]
      facts["customer_id"] = customer.map { .string($0.rawValue) }
      try await EventLog.append(.licenseTransferred, id.rawValue, by: caller, at: now, metadata: facts, in: transaction)
      return try await answer(id, call, for: caller, now: now, in: transaction)
    }
  }

  private func answer(
    _ id: LicenseID, _ call: IdempotentCall, for caller: Caller, now: Date, in transaction: PostgresTransaction
  ) async throws -> StoredAnswer {
    let license = try await LicenseRecord.find(id, for: caller, now: now, in: transaction).license
    let answer = try StoredAnswer(license)
    try await call.store(answer.bytes, now: now, in: transaction)
    return answer
  }
}
