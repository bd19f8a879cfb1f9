import Foundation
import HTTPTransport
import Identity
import Postgres
import StripeAPI

/// A vendor's mail to buyers.
struct MailSettings: Hashable, Sendable {
  var isEnabled: Bool
  var subject: String
  var text: String
  var fromName: String?
  var replyTo: String?
  var updatedAt: Date?

  static let defaultSubject = "Your license for {{product_name}}"
  static let defaultText = """
    Hello {{customer_name}},

    thank you for your purchase. Here is what unlocks it:

    {{#licenses}}
    {{product_name}}
    {{license_key}}
    {{#expires_at}}Valid until {{expires_at}}.
    {{/expires_at}}
    {{/licenses}}
    Please keep this message.

    """

  static let longestSubject = 200
  static let longestText = 20_000

  /// Nobody has chosen anything: no mail.
  static let initial = MailSettings(isEnabled: false, subject: defaultSubject, text: defaultText)
}

/// The mail settings of tenants, within a transaction of the tenant.
struct MailSettingsStore {
  let tenant: Tenant
  let transaction: PostgresTransaction

  func load() async throws -> MailSettings? {
    try await transaction.query(
      """
      SELECT is_enabled, subject, body, from_name, reply_to, updated_at
        FROM stripe_integration.mail_settings
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
      """
    ).first.map { row in
      MailSettings(
        isEnabled: try row.get("is_enabled"), subject: try row.get("subject"), text: try row.get("body"),
        fromName: try row.get("from_name"), replyTo: try row.get("reply_to"), updatedAt: try row.get("updated_at"))
    }
  }

  func store(_ settings: MailSettings) async throws {
    try await transaction.query(
      """
      INSERT INTO stripe_integration.mail_settings
             (account_id, livemode, is_enabled, subject, body, from_name, reply_to)
      VALUES (\(tenant.account), \(tenant.livemode), \(settings.isEnabled), \(settings.subject), \(settings.text),
              \(settings.fromName), \(settings.replyTo))
      ON CONFLICT (account_id, livemode) DO UPDATE
         SET is_enabled = excluded.is_enabled,
             subject    = excluded.subject,
             body       = excluded.body,
             from_name  = excluded.from_name,
             reply_to   = excluded.reply_to,
             updated_at = now()
      """)
  }

  /// Takes one of the mails that the tenant may send in an hour.
  /// - Returns: nil when there was one left; or else how many seconds it is until there are more.
  func take(of limit: Int) async throws -> Double? {
    let taken = try await transaction.query(
      """
      UPDATE stripe_integration.mail_settings
         SET hour_began   = CASE WHEN hour_began > now() - interval '1 hour' THEN hour_began ELSE now() END,
             sent_in_hour = CASE WHEN hour_began > now() - interval '1 hour' THEN sent_in_hour + 1 ELSE 1 END
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
         AND (hour_began <= now() - interval '1 hour' OR sent_in_hour < \(limit))
      """)
    guard taken.affectedRows == 0 else { return nil }
    let left: Double? = try await transaction.query(
      """
      SELECT extract(epoch FROM hour_began + interval '1 hour' - now())::double precision AS seconds
        FROM stripe_integration.mail_settings
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
      """
    ).first?.get("seconds")
    // Not all at the same moment.
    return max(left ?? 0, 0) + .random(in: 1...60)
  }
}
