package import Postgres
package import StripeAPI

/// A tenant's lock, held to the end of a transaction.
///
/// Only one transaction of a tenant at a time links ids, so that two events of one new sale cannot make two purchases. The
/// transactions that hold the lock call nothing outside the database.
package enum TenantLock {
  /// Waits until no other transaction holds it.
  package static func take(_ tenant: Tenant, in transaction: PostgresTransaction) async throws {
    try await transaction.query(
      "SELECT pg_advisory_xact_lock(hashtextextended('stripe_integration.link ' || \(tenant.description)::text, 0))")
  }
}
