import Foundation
import HTTPTransport
import Identity
import LicenseKitAPI
import Postgres
import StripeAPI

/// The operator's way to send mail.
struct MailOffice: Sendable {
  let transport: any MailSending
  let from: MailAddress
}

/// Makes one attempt to mail the keys of a purchase to its buyer.
///
/// The address is looked up for each attempt out of what Stripe said, and the keys come out of the vault: neither is in
/// the rows of the delivery.
struct MailCourier: Sendable {
  let database: TenantDatabase
  let vault: KeyVault
  let licenseKit: any LicenseKitAccess
  /// Nil when the operator has configured no relay: mail waits.
  let office: MailOffice?
  let clock: @Sendable () -> Date
  let names = NameCache()

  static let deadline: Duration = .seconds(30)

  /// A license as the mail names it.
  struct Item: Sendable {
    let license: LicenseID
    let product: ProductID
    let key: String
    let expiresAt: Date?
  }

  private struct Prepared: Sendable {
    let attempt: DeliveryAttempt
    let content: Content
  }

  private enum Content: Sendable {
    case letter(Letter)
    case nothing(DeliveryResult)
  }

  /// What a mail is made of, all but the names of products.
  private struct Letter: Sendable {
    let settings: MailSettings
    let to: MailAddress
    let customerName: String
    let purchase: PurchaseRow
    let items: [Item]
  }

  /// - Returns: nil when the delivery was not due any more.
  func deliver(_ delivery: DeliveryID, of tenant: Tenant) async throws -> DeliveryResult? {
    let prepared = try await database.transaction(for: tenant) { transaction -> Prepared? in
      guard let attempt = try await DeliveryAttempts(tenant: tenant, transaction: transaction).begin(delivery) else {
        return nil
      }
      return Prepared(attempt: attempt, content: try await content(of: attempt, in: transaction))
    }
    guard let prepared else { return nil }
    let begun = ContinuousClock.now
    let result: DeliveryResult
    switch prepared.content {
    case .nothing(let reason): result = reason
    case .letter(let letter): result = await send(letter, prepared.attempt)
    }
    let took = begun.duration(to: .now)
    // What was tried is noted even when the service is being stopped.
    try await Task {
      try await database.transaction(for: tenant) { transaction in
        try await DeliveryAttempts(tenant: tenant, transaction: transaction)
          .finish(prepared.attempt, result, took: took)
      }
    }.value
    return result
  }

  // MARK: Reading

  private func content(of attempt: DeliveryAttempt, in transaction: PostgresTransaction) async throws -> Content {
    let tenant = attempt.tenant
    guard let settings = try await MailSettingsStore(tenant: tenant, transaction: transaction).load(),
      settings.isEnabled
    else { return .nothing(.pointless("E-mail to buyers is switched off.")) }
    let reader = FulfillmentReader(tenant: tenant, transaction: transaction)
    guard let told = attempt.purchase, let id = try await reader.purchase(of: told.rawValue),
      let purchase = try await reader.row(id)
    else { return .nothing(.pointless("The purchase is not there any more.")) }
    guard let customer = try await customer(of: id, tenant, in: transaction), let email = customer.email else {
      return .nothing(
        .failed("Stripe knows no e-mail address of the buyer.", isFinal: true, isOfReceiver: false))
    }
    guard let to = MailAddress(email) else {
      return .nothing(
        .failed("The buyer's e-mail address is not one that mail can be sent to.", isFinal: true, isOfReceiver: false))
    }
    let items = try await items(of: attempt, in: transaction)
    guard !items.isEmpty else { return .nothing(.pointless("None of its licenses is there to be used any more.")) }
    return .letter(
      Letter(settings: settings, to: to, customerName: customer.name, purchase: purchase, items: items))
  }

  /// The buyer, as the decision about the purchase names it.
  private func customer(
    of purchase: PurchaseID, _ tenant: Tenant, in transaction: PostgresTransaction
  ) async throws -> DesiredCustomer? {
    let knowledge = try await FactStore(tenant: tenant, transaction: transaction).knowledge(of: purchase)
    let recorded = try await RecordStore(tenant: tenant, purchase: purchase, transaction: transaction)
      .load(customer: nil)
    let references = knowledge.soldReferences
    let mappings = try await MappingStore(tenant: tenant, transaction: transaction)
      .mappings(products: references.products, prices: references.prices)
    let settings = try await SettingsStore(tenant: tenant, transaction: transaction).load()
    return Decider(
      tenant: tenant, mappings: mappings, agreed: recorded.agreed, settings: settings, now: clock()
    ).decide(knowledge).customer
  }

  /// The licenses of the mail that can still be used. Whoever opens a key leaves an entry in the audit log.
  private func items(of attempt: DeliveryAttempt, in transaction: PostgresTransaction) async throws -> [Item] {
    let tenant = attempt.tenant
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

  private func send(_ letter: Letter, _ attempt: DeliveryAttempt) async -> DeliveryResult {
    guard let office else { return .failed("No mail relay is configured (SMTP_URL).") }
    var products: [ProductID: String] = [:]
    do {
      if try MailWriter.usesProductNames(letter.settings) {
        products = try await productNames(of: Set(letter.items.map(\.product)), attempt.tenant)
      }
      let message = try MailWriter.message(
        letter.settings, from: office.from, to: letter.to,
        values: [
          .customerName: letter.customerName, .fulfillmentID: letter.purchase.id.rawValue,
          .stripeID: letter.purchase.stripeID,
        ],
        licenses: letter.items.map { .init(key: $0.key, product: products[$0.product] ?? "", expiresAt: $0.expiresAt) },
        // The same for every attempt, so that a repetition can be told; another one when it is replayed.
        id: "\(attempt.delivery).\(attempt.number - attempt.seriesNumber)", at: clock())
      try await office.transport.send(message, deadline: Self.deadline)
      return .arrived(status: 250)
    } catch let error as MailTransportError {
      return Self.result(error)
    } catch let problem as MailTemplate.Problem {
      return .failed("The template cannot be used: \(problem)", isFinal: true, isOfReceiver: false)
    } catch let error as LicenseKitError {
      return .failed("LicenseKit did not tell the product's name: \(error.code)", isOfReceiver: false)
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

  /// The day in UTC: `2026-12-01`.
  private static func day(_ date: Date) -> String { date.formatted(.iso8601.year().month().day()) }
}
