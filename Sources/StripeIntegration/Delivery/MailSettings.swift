import Foundation
import HTTPTransport
import Identity
import Postgres

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
}
