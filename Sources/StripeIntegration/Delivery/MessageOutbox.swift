import Cryptography
import Foundation
import Identity
import LicenseKitAPI
import Postgres
import Purchases
import StripeAPI

/// Enqueues messages about what happened, in the transaction that records it. So no message is about something that did not
/// happen, and nothing that happened is left out.
struct MessageOutbox {
  let tenant: Tenant
  let purchase: PurchaseID
  let transaction: PostgresTransaction

  /// The queue of a tenant's mail.
  static let mailQueue = "email"
  /// A vendor has at most so many endpoints.
  static let mostEndpoints = 10
  /// A mail waits this long for further licenses of its purchase, so that one mail has them all…
  static let mailCollects = "5 seconds"
  /// …and not longer than this.
  static let mailWaits = "60 seconds"

  /// Enqueues the messages about what a step has changed. One statement, and a second one for a new license.
  func note(_ step: Step, before: Recorded, after: Recorded) async throws {
    guard let change = LicenseChange(step, before: before, after: after) else { return }
    try await addMessage(change)
    if change.type == .issued { try await addMail(change.license) }
  }

  private func addMessage(_ change: LicenseChange) async throws {
    let ids = (0..<Self.mostEndpoints).map { _ in Random.id(prefix: "dlv_") }
    try await transaction.query(
      """
      WITH wanted AS (
        SELECT endpoint_id, substring(url FROM '^[A-Za-z]+://[^/?#]+') AS destination,
               row_number() OVER (ORDER BY endpoint_id) AS place
          FROM stripe_integration.notice_endpoints
         WHERE account_id = \(tenant.account)
           AND livemode   = \(tenant.livemode)
           AND is_active
           AND (event_types = '{}' OR \(change.type.rawValue) = ANY(event_types))
         LIMIT \(Self.mostEndpoints)
      ), counted AS (
        INSERT INTO stripe_integration.notice_sequences AS s (account_id, livemode, license_id, last_sequence)
        SELECT \(tenant.account)::text, \(tenant.livemode)::boolean, \(change.license)::text, 1
         WHERE EXISTS (SELECT FROM wanted)
        ON CONFLICT (account_id, livemode, license_id) DO UPDATE
           SET last_sequence = s.last_sequence + 1
        RETURNING last_sequence
      ), noted AS (
        INSERT INTO stripe_integration.notices
               (account_id, livemode, notice_id, type, license_id, sequence, purchase_id, line_key,
                licensekit_product_id, ordinal, status, previous_status, expires_at, previous_expires_at, reason)
        SELECT \(tenant.account)::text, \(tenant.livemode)::boolean, \(Random.id(prefix: "ntc_"))::text,
               \(change.type.rawValue)::text, \(change.license)::text, last_sequence, \(purchase)::text,
               \(change.unit.line)::text, \(change.unit.product)::text, \(change.unit.ordinal)::integer,
               \(change.state.status.rawValue)::text, \(change.former?.status.rawValue)::text,
               \(change.state.expiresAt)::timestamptz, \(change.former?.expiresAt)::timestamptz,
               \(change.reason)::text
          FROM counted
        RETURNING notice_id, type
      ), queued AS (
        INSERT INTO stripe_integration.deliveries
               (account_id, livemode, delivery_id, lane_id, type, notice_id, purchase_id, destination)
        SELECT \(tenant.account)::text, \(tenant.livemode)::boolean, (\(ids)::text[])[place], endpoint_id, type,
               notice_id, \(purchase)::text, destination
          FROM wanted, noted
        RETURNING lane_id
      )
      INSERT INTO stripe_integration.delivery_lanes AS l (account_id, livemode, lane_id, due_at)
      SELECT \(tenant.account)::text, \(tenant.livemode)::boolean, lane_id, now()
        FROM queued
       ORDER BY lane_id
      ON CONFLICT (account_id, livemode, lane_id) DO UPDATE
         SET due_at = GREATEST(LEAST(l.due_at, excluded.due_at), l.paused_until)
      """)
  }

  /// The buyer's mail: a license goes into the mail of its purchase that has not been sent yet, or else into a new one.
  func addMail(_ license: LicenseID) async throws {
    try await transaction.query(
      """
      WITH mail AS (
        INSERT INTO stripe_integration.deliveries AS d
               (account_id, livemode, delivery_id, lane_id, type, purchase_id, next_attempt_at)
        SELECT account_id, livemode, \(Random.id(prefix: "dlv_"))::text, \(Self.mailQueue)::text,
               \(MessageType.issued.rawValue)::text, \(purchase)::text, now() + \(Self.mailCollects)::text::interval
          FROM stripe_integration.mail_settings
         WHERE account_id = \(tenant.account)
           AND livemode   = \(tenant.livemode)
           AND is_enabled
           AND NOT EXISTS (SELECT FROM stripe_integration.mailed_licenses
                            WHERE account_id = \(tenant.account)
                              AND livemode   = \(tenant.livemode)
                              AND license_id = \(license))
        ON CONFLICT (account_id, livemode, purchase_id)
              WHERE lane_id = 'email' AND state = 'pending' AND attempts = 0 DO UPDATE
           SET next_attempt_at = GREATEST(d.next_attempt_at,
                                          LEAST(excluded.next_attempt_at,
                                                d.created_at + \(Self.mailWaits)::text::interval))
        RETURNING delivery_id, next_attempt_at
      ), listed AS (
        INSERT INTO stripe_integration.mailed_licenses (account_id, livemode, license_id, delivery_id)
        SELECT \(tenant.account)::text, \(tenant.livemode)::boolean, \(license)::text, delivery_id
          FROM mail
      )
      INSERT INTO stripe_integration.delivery_lanes AS l (account_id, livemode, lane_id, due_at)
      SELECT \(tenant.account)::text, \(tenant.livemode)::boolean, \(Self.mailQueue)::text, next_attempt_at
        FROM mail
      ON CONFLICT (account_id, livemode, lane_id) DO UPDATE
         SET due_at = GREATEST(LEAST(l.due_at, excluded.due_at), l.paused_until)
      """)
  }
}

/// Enqueues messages about what a step has changed.
struct OutboxListener: StepListener {
  func recorded(_ step: RecordedStep, in transaction: PostgresTransaction) async throws {
    try await MessageOutbox(tenant: step.tenant, purchase: step.purchase, transaction: transaction)
      .note(step.step, before: step.before, after: step.after)
  }
}
