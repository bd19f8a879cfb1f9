import Delivery
import Foundation
import HTTPTransport
import Identity
import JSON
import LicenseKitAPI
import Postgres
import Purchases
import StripeAPI
import Tenancy

/// The operator's way to send mail.
struct Mailer: Sendable {
  let transport: any MailSending
  let from: MailAddress
}

/// Makes one attempt to mail the keys of a purchase to its buyer.
///
/// The address is looked up for each attempt out of what Stripe said, and the keys come out of the vault: neither is in
/// the rows of the delivery.
struct MailSender: Sendable {
  let database: TenantDatabase
  let vault: KeyVault
  let licenseKit: any LicenseKitAccess
  /// Nil when the operator has configured no relay: mail waits.
  let mailer: Mailer?
  let clock: @Sendable () -> Date
  /// The relay is the operator's: a vendor's mails beyond so many in an hour wait for the next one.
  var mailsPerHour = 500
  let names = NameCache()

  static let deadline: Duration = .seconds(30)

  /// A license as the mail names it.
  struct Item: Sendable {
    let license: LicenseID
    let product: ProductID
    let key: String
    let expiresAt: Date?
  }

  private enum Content: Sendable {
    case mail(Mail)
    case nothing(DeliveryResult)
  }

  /// What a mail is made of.
  private struct Mail: Sendable {
    let settings: MailSettings
    let to: MailAddress
    let customerName: String
    let purchase: PurchaseRow
    let items: [Item]
    let products: [ProductID: String]
  }

  /// The names of products, or why they are not known.
  typealias Names = Result<[ProductID: String], any Error>

  /// Makes a claimed attempt.
  /// - Parameter names: of the products that it is about; see ``productNames(for:of:)``.
  func send(_ attempt: MessageAttempt<Tenant>, _ names: Names) async throws -> DeliveryResult {
    let made = try await database.transaction(for: attempt.queue.owner) { transaction in
      try await content(of: attempt, names, in: transaction)
    }
    switch made {
    case .nothing(let reason): return reason
    case .mail(let mail): return await send(mail, attempt)
    }
  }

  // MARK: Reading

  private func content(
    of attempt: MessageAttempt<Tenant>, _ names: Names, in transaction: PostgresTransaction
  ) async throws -> Content {
    let tenant = attempt.queue.owner
    guard let settings = try await MailSettingsStore(tenant: tenant, transaction: transaction).load(),
      settings.isEnabled
    else { return .nothing(.pointless("E-mail to buyers is switched off.")) }
    let reader = FulfillmentReader(tenant: tenant, transaction: transaction)
    guard let named = attempt.subject.purchase, let id = try await reader.purchase(of: named.rawValue),
      let purchase = try await reader.row(id)
    else { return .nothing(.pointless("The purchase is not there any more.")) }
    guard mailer != nil else { return .nothing(.failed("No mail relay is configured (SMTP_URL).")) }
    let decision = try await decision(about: id, tenant, in: transaction)
    guard let customer = decision.customer, let email = customer.email else {
      // While something is still to be asked of Stripe, that there is no address says nothing.
      return .nothing(
        decision.isComplete
          ? .failed("Stripe knows no e-mail address of the buyer.", isFinal: true, isOfReceiver: false)
          : .failed("Who the buyer is is not known until Stripe has been asked.", isOfReceiver: false))
    }
    guard let to = MailAddress(email) else {
      return .nothing(
        .failed("The buyer's e-mail address is not one that mail can be sent to.", isFinal: true, isOfReceiver: false))
    }
    let products: [ProductID: String]
    switch names {
    case .success(let known): products = known
    case .failure(let error as LicenseKitError):
      return .nothing(.failed("LicenseKit did not tell the product's name: \(error.code)", isOfReceiver: false))
    case .failure(let error): return .nothing(.unprepared(error))
    }
    if let seconds = try await MailSettingsStore(tenant: tenant, transaction: transaction).take(of: mailsPerHour) {
      return .nothing(
        .postponed("\(mailsPerHour) mails have gone out within an hour; it waits for the next.", seconds: seconds))
    }
    let items = try await items(of: attempt, in: transaction)
    guard !items.isEmpty else { return .nothing(.pointless("None of its licenses is there to be used any more.")) }
    return .mail(
      Mail(
        settings: settings, to: to, customerName: customer.name, purchase: purchase, items: items, products: products))
  }

  /// The decision about the purchase, which names the buyer.
  private func decision(
    about purchase: PurchaseID, _ tenant: Tenant, in transaction: PostgresTransaction
  ) async throws -> Decision {
    let loaded = try await Reconciliation.Loaded(of: purchase, tenant, in: transaction)
    return Decider(
      tenant: tenant, mappings: loaded.mappings, pinned: loaded.recorded.pinned, settings: loaded.settings,
      now: clock()
    ).decide(loaded.knowledge)
  }

  /// The licenses of the mail that can still be used. Whoever opens a key leaves an entry in the audit log.
  private func items(of attempt: MessageAttempt<Tenant>, in transaction: PostgresTransaction) async throws -> [Item] {
    let tenant = attempt.queue.owner
    let rows = try await transaction.query(
      """
      SELECT u.license_id, u.licensekit_product_id, u.expires_at
        FROM stripe_integration.mailed_licenses m
        JOIN stripe_integration.units u
          ON u.account_id = m.account_id
         AND u.livemode   = m.livemode
         AND u.license_id = m.license_id
       WHERE m.account_id  = \(tenant.account)
         AND m.livemode    = \(tenant.livemode)
         AND m.delivery_id = \(attempt.delivery)
         AND u.license_status <> 'revoked'
       ORDER BY u.line_key, u.licensekit_product_id, u.ordinal
      """)
    var items: [Item] = []
    for row in rows {
      let license: LicenseID = try row.get("license_id")
      guard let key = try await vault.reveal(license, of: tenant, in: transaction) else { continue }
      try await AuditLog(tenant: tenant, transaction: transaction)
        .add(
          .init(
            actor: "delivery", action: "license.mail", target: license.rawValue, requestID: nil,
            detail: attempt.delivery.rawValue))
      items.append(
        Item(
          license: license, product: try row.get("licensekit_product_id"), key: key,
          expiresAt: try row.get("expires_at")))
    }
    return items
  }

  // MARK: Writing and sending

  private func send(_ mail: Mail, _ attempt: MessageAttempt<Tenant>) async -> DeliveryResult {
    guard let mailer else { return .failed("No mail relay is configured (SMTP_URL).") }
    do {
      let message = try MailWriter.message(
        mail.settings, from: mailer.from, to: mail.to,
        values: [
          .customerName: mail.customerName, .fulfillmentID: mail.purchase.id.rawValue,
          .stripeID: mail.purchase.stripeID,
        ],
        licenses: mail.items.map {
          .init(key: $0.key, product: mail.products[$0.product] ?? "", expiresAt: $0.expiresAt)
        },
        // The same for every attempt, so that a repetition can be told; another one when it is replayed.
        id: "\(attempt.delivery).\(attempt.number - attempt.seriesNumber)", at: clock())
      try await mailer.transport.send(message, deadline: Self.deadline)
      return .arrived(status: 250)
    } catch let error as MailTransportError {
      return Self.result(error)
    } catch let problem as MailTemplate.Problem {
      return .failed("The template cannot be used: \(problem)", isFinal: true, isOfReceiver: false)
    } catch is CancellationError {
      return .cutOff
    } catch {
      return .failed("\(type(of: error))")
    }
  }

  static func result(_ error: MailTransportError) -> DeliveryResult {
    switch error {
    case .cancelled, .shutDown: .cutOff
    case .refused(let reply): .failed("\(error)", status: reply, isFinal: true, isOfReceiver: false)
    // 421 is about the relay; what else is refused for now (a full mailbox, greylisting) is about the one message.
    case .later(let reply): .failed("\(error)", status: reply, isOfReceiver: reply == 421)
    default: .failed("\(error)", status: error.reply)
    }
  }

  /// The names of the products whose licenses a mail is about; none when its text has no place for them.
  func productNames(for delivery: MessageDeliveryID, of tenant: Tenant) async -> Names {
    do {
      let products = try await database.transaction(for: tenant) { transaction -> Set<ProductID> in
        guard let settings = try await MailSettingsStore(tenant: tenant, transaction: transaction).load(),
          settings.isEnabled, (try? MailWriter.usesProductNames(settings)) == true
        else { return [] }
        let rows = try await transaction.query(
          """
          SELECT DISTINCT u.licensekit_product_id
            FROM stripe_integration.mailed_licenses m
            JOIN stripe_integration.units u
              ON u.account_id = m.account_id
             AND u.livemode   = m.livemode
             AND u.license_id = m.license_id
           WHERE m.account_id  = \(tenant.account)
             AND m.livemode    = \(tenant.livemode)
             AND m.delivery_id = \(delivery)
             AND u.license_status <> 'revoked'
          """)
        return Set(try rows.map { row in try row.get("licensekit_product_id") })
      }
      return .success(try await productNames(of: products, tenant))
    } catch {
      return .failure(error)
    }
  }

  private func productNames(of products: Set<ProductID>, _ tenant: Tenant) async throws -> [ProductID: String] {
    var known: [ProductID: String] = [:]
    for product in products {
      if let name = names.fresh(product.rawValue, of: tenant) {
        known[product] = name
        continue
      }
      let name = try await licenseKit.client(for: tenant).getProduct(product).name
      names.remember(name, product.rawValue, of: tenant)
      known[product] = name
    }
    return known
  }
}

/// Makes a message of a vendor's text and the licenses it is about.
enum MailWriter {
  struct License: Sendable {
    let key: String
    let product: String
    let expiresAt: Date?
  }

  static func usesProductNames(_ settings: MailSettings) throws(MailTemplate.Problem) -> Bool {
    try MailTemplate(settings.subject).names.union(MailTemplate(settings.text).names).contains(.productName)
  }

  static func message(
    _ settings: MailSettings, from: MailAddress, to: MailAddress, values: MailTemplate.Values, licenses: [License],
    id: String, at moment: Date
  ) throws(MailTemplate.Problem) -> MailMessage {
    var values = values
    values[.customerName] = values[.customerName].map(oneLine)
    var products: [String] = []
    for license in licenses where !products.contains(license.product) { products.append(license.product) }
    values[.licenseKey] = licenses.map(\.key).joined(separator: "\n")
    values[.productName] = products.joined(separator: ", ")
    values[.expiresAt] = licenses.compactMap(\.expiresAt).min().map(day)
    values[.licenseCount] = String(licenses.count)
    let each: [MailTemplate.Values] = licenses.map { license in
      var own: MailTemplate.Values = [.licenseKey: license.key, .productName: license.product]
      own[.expiresAt] = license.expiresAt.map(day)
      return own
    }
    var subjectValues = values
    subjectValues[.licenseKey] = nil
    let subject = try MailTemplate(settings.subject).render(subjectValues, licenses: each)
    let text = try MailTemplate(settings.text).render(values, licenses: each)
    return MailMessage(
      from: settings.fromName.flatMap { MailAddress(from.address, name: $0) } ?? from, to: to,
      replyTo: settings.replyTo.flatMap { MailAddress($0) }, subject: subject, text: text, date: moment, id: id,
      headers: [("Auto-Submitted", "auto-generated")])
  }

  /// A name that a buyer chose, and that goes out in the vendor's name: one short line, with no address to click on.
  static func oneLine(_ text: String) -> String {
    OutsideText.plain(text.replacing("://", with: " "), longest: 100)
  }

  /// The day in UTC: `2026-12-01`.
  private static func day(_ date: Date) -> String { date.formatted(.iso8601.year().month().day()) }
}
