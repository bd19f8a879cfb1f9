import Cryptography
import Foundation
import Identity
import JSON
import LicenseKitAPI
import Postgres
import ServerKit

/// One use of an idempotency key. The same key with the same request gets the stored answer again, byte for byte; with
/// another request it is refused. Keys are separate for each operation and subject, so two licenses never share one.
///
/// Answers of `renewLicense` and `transferLicense` are kept for 90 days; those of `createLicense` and of calls by
/// applications for 24 hours.
struct IdempotentCall: Sendable {
  var tenant: TenantID
  var operation: String
  /// The license concerned; empty when there is none yet.
  var subject: String
  var key: String
  var requestHash: [UInt8]
  /// How long the answer is kept.
  var retention: TimeInterval

  /// - Parameter request: the decoded body, so that two texts of the same JSON are the same request.
  init(
    _ operation: String, tenant: TenantID, subject: String, key: String, request: some Encodable,
    retention: TimeInterval
  ) throws {
    self.tenant = tenant
    self.operation = operation
    self.subject = subject
    self.key = key
    self.requestHash = SHA256.hash(Array(try JSONCoding.encode(request).canonicalText().utf8))
    self.retention = retention
  }

  static let day: TimeInterval = 86_400

  /// Its answer contains a license key and is therefore stored encrypted.
  static let createLicense = "createLicense"

  /// Its answer contains a lease token and is therefore stored encrypted.
  static let checkoutFloatingLicense = "checkoutFloatingLicense"

  /// Operations whose answers are kept encrypted.
  static let encryptedOperations = [createLicense, checkoutFloatingLicense]

  /// The context that a stored answer is encrypted for: it opens only for this tenant, license and key.
  static func encryptionContext(tenant: TenantID, operation: String, subject: String, key: String) -> [String] {
    ["license_server", tenant.rawValue, operation] + (subject.isEmpty ? [] : [subject]) + [key]
  }

  /// The same for this call.
  var encryptionContext: [String] {
    Self.encryptionContext(tenant: tenant, operation: operation, subject: subject, key: key)
  }

  /// Refuses a missing, empty or oversized key before anything is looked up.
  static func checked(key: String?) throws(APIFailure) -> String {
    guard let key, (1...255).contains(key.utf8.count), !key.utf8.contains(0) else { throw .idempotencyKeyRequired }
    return key
  }

  /// The answer given before, if any. The caller holds a lock that keeps the same key from running twice at once.
  func replay(now: Date, in transaction: PostgresTransaction) async throws -> [UInt8]? {
    let rows = try await transaction.query(
      """
      SELECT request_hash, answer
        FROM license_server.idempotency_records
       WHERE tenant_id = \(tenant) AND operation = \(operation) AND subject = \(subject) AND key = \(key)
         AND expires_at > \(now)
      """)
    guard let row = rows.first else { return nil }
    guard try row.get("request_hash", as: [UInt8].self) == requestHash else { throw APIFailure.idempotencyConflict }
    return try row.get("answer")
  }

  /// Stores the answer, in place of an expired one. ``IdempotencyCleaner`` removes answers that nobody asks for again.
  func store(_ answer: [UInt8], now: Date, in transaction: PostgresTransaction) async throws {
    try await transaction.query(
      """
      INSERT INTO license_server.idempotency_records
             (tenant_id, operation, subject, key, request_hash, answer, created_at, expires_at)
      VALUES (\(tenant), \(operation), \(subject), \(key), \(requestHash), \(answer), \(now), \(now + retention))
          ON CONFLICT (tenant_id, operation, subject, key)
          DO UPDATE
         SET request_hash = excluded.request_hash,
             answer       = excluded.answer,
             created_at   = excluded.created_at,
             expires_at   = excluded.expires_at
      """)
  }

  /// Lets only one transaction at a time work with this key, if there is no row to lock yet.
  func lock(in transaction: PostgresTransaction) async throws {
    let name = [tenant.rawValue, operation, subject, key].joined(separator: "\u{1F}")
    try await transaction.query("SELECT pg_advisory_xact_lock(hashtextextended(\(name), 0))")
  }
}
