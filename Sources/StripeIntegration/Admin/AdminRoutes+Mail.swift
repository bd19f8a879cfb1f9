import Delivery
import Foundation
import HTTPTransport
import Hummingbird
import Identity
import JSON
import Postgres
import ServerKit
import StripeAPI
import Tenancy

// The vendor's mail to buyers.

extension AdminRoutes {
  func getMail(_ call: AdminCall) async throws -> Response {
    let settings = try await database.transaction(for: call.tenant) { transaction in
      try await MailSettingsStore(tenant: call.tenant, transaction: transaction).load()
    }
    return try Answer.data(MailView(settings ?? .initial, mailer: delivery.mailer), context: call.context)
  }

  /// Replaces all settings; a text that is left out gets the default.
  func setMail(_ call: AdminCall) async throws -> Response {
    let settings = try call.decodeBody(MailBody.self).checked(isAvailable: delivery.mailer != nil)
    let stored = try await database.transaction(for: call.tenant) { transaction in
      let store = MailSettingsStore(tenant: call.tenant, transaction: transaction)
      try await store.store(settings)
      // Mail that waited for the switch is sent now.
      if settings.isEnabled {
        let queue = EndpointQueue.mail(of: call.tenant)
        try await EndpointQueues.ofVendors.resume(queue, in: transaction)
        try await EndpointQueues.ofVendors.reschedule(queue, in: transaction)
      }
      try await AuditLog(tenant: call.tenant, transaction: transaction)
        .add(call.entry("email.update", MessageOutbox.mailQueue, detail: settings.isEnabled ? "enabled" : "disabled"))
      return try await store.load()
    }
    delivery.wakeUp.signal()
    return try Answer.data(MailView(stored ?? settings, mailer: delivery.mailer), context: call.context)
  }

  /// How many test mails a vendor may send in an hour. The vendor chooses the recipients, but the relay belongs to the
  /// operator.
  static let testMailsPerHour = 10

  /// Sends the stored text at once, with made-up values. The address is not stored.
  func testMail(_ call: AdminCall) async throws -> Response {
    let body = try call.decodeBody(TestMailBody.self)
    guard let to = MailAddress(body.to) else {
      throw APIFailure.validation(field: "to", "is not an address that mail can be sent to")
    }
    guard let mailer = delivery.mailer else { throw Self.noRelay }
    let settings = try await database.transaction(for: call.tenant) { transaction in
      guard try await Self.lockedCountOfTestMails(of: call.tenant, in: transaction) < Self.testMailsPerHour else {
        throw APIFailure.tooManyRequests(retryAfter: .seconds(3_600))
      }
      try await AuditLog(tenant: call.tenant, transaction: transaction)
        .add(call.entry("email.test", MessageOutbox.mailQueue))
      return try await MailSettingsStore(tenant: call.tenant, transaction: transaction).load() ?? .initial
    }
    var shown = settings
    shown.subject = "[Test] " + shown.subject
    do {
      let message = try MailWriter.message(
        shown, from: mailer.from, to: to,
        values: [.customerName: "Ada Lovelace", .fulfillmentID: "ful_test", .stripeID: "cs_test"],
        licenses: [
          .init(key: "TEST-0000-0000-0001", product: "Example product", expiresAt: clock() + 365 * 86_400),
          .init(key: "TEST-0000-0000-0002", product: "Example product", expiresAt: nil),
        ], id: call.context.requestID, at: clock())
      try await mailer.transport.send(message, deadline: MailSender.deadline)
    } catch let error as MailTransportError {
      throw APIFailure(
        .badGateway, code: "MAIL_REFUSED", message: "The mail relay did not accept the message.", detail: "\(error)")
    }
    return try Answer.data(TestMailAnswer(sent: true), context: call.context)
  }

  /// Counts the test mails of the last hour. The tenant's other test mails wait until the transaction ends.
  private static func lockedCountOfTestMails(
    of tenant: Tenant, in transaction: PostgresTransaction
  ) async throws -> Int {
    try await transaction.query(
      "SELECT pg_advisory_xact_lock(hashtextextended('stripe_integration.email_test ' || \(tenant.description)::text, 0))"
    )
    return try await transaction.query(
      """
      SELECT count(*)::integer AS count
        FROM stripe_integration.audit
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
         AND action     = 'email.test'
         AND at         > now() - interval '1 hour'
      """
    ).first?.get("count") ?? 0
  }

  private static let noRelay = APIFailure.validation(
    field: "enabled", "the operator has configured no mail relay (SMTP_URL)")

  private struct TestMailBody: Decodable { var to: String }
  private struct TestMailAnswer: Encodable { let sent: Bool }

  private struct MailBody: Decodable {
    var enabled: Bool
    var subject: String?
    var text: String?
    var fromName: String?
    var replyTo: String?

    func checked(isAvailable: Bool) throws(APIFailure) -> MailSettings {
      guard !enabled || isAvailable else { throw noRelay }
      let subject = subject ?? MailSettings.defaultSubject
      guard (1...MailSettings.longestSubject).contains(subject.count), Self.isOneLine(subject) else {
        throw .validation(field: "subject", "must be one line of 1 to \(MailSettings.longestSubject) characters")
      }
      let text = text ?? MailSettings.defaultText
      guard (1...MailSettings.longestText).contains(text.count), !text.utf8.contains(0) else {
        throw .validation(field: "text", "must have 1 to \(MailSettings.longestText) characters")
      }
      let subjectNames = try Self.names(subject, field: "subject")
      guard subjectNames.isDisjoint(with: [.licenseKey, .licenses]) else {
        throw .validation(field: "subject", "must not contain the license key: other people may see a subject")
      }
      guard try Self.names(text, field: "text").contains(.licenseKey) else {
        throw .validation(field: "text", "must contain {{license_key}}")
      }
      if let fromName, !(1...100).contains(fromName.count) || !Self.isOneLine(fromName) {
        throw .validation(field: "from_name", "must be one line of 1 to 100 characters")
      }
      if let replyTo, MailAddress(replyTo) == nil {
        throw .validation(field: "reply_to", "is not an address that mail can be sent to")
      }
      return MailSettings(isEnabled: enabled, subject: subject, text: text, fromName: fromName, replyTo: replyTo)
    }

    private static func isOneLine(_ text: String) -> Bool {
      text.unicodeScalars.allSatisfy {
        $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) && !(0x2028...0x2029).contains($0.value)
      }
    }

    private static func names(_ text: String, field: String) throws(APIFailure) -> Set<MailTemplate.Name> {
      do {
        return try MailTemplate(text).names
      } catch {
        throw .validation(field: field, error.description)
      }
    }
  }
}

/// A vendor's mail as the admin routes show it.
private struct MailView: Encodable {
  let enabled: Bool
  let subject: String
  let text: String
  @OrNull var fromName: String?
  @OrNull var replyTo: String?
  /// Whether the operator has configured a relay.
  let available: Bool
  @OrNull var fromAddress: String?
  @OrNull var updatedAt: Date?

  init(_ settings: MailSettings, mailer: Mailer?) {
    enabled = settings.isEnabled
    subject = settings.subject
    text = settings.text
    fromName = settings.fromName
    replyTo = settings.replyTo
    available = mailer != nil
    fromAddress = mailer?.from.address
    updatedAt = settings.updatedAt
  }
}
