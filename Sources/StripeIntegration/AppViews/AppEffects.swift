import Foundation
import Identity
import LicenseKitAPI
import Postgres
import Purchases
import ServerKit
import StripeAPI
import Tenancy

/// Does what a person asked for in the Dashboard. A repeated request has no further effect.
struct AppEffects: Sendable {
  let database: TenantDatabase
  let licenseKit: any LicenseKitAccess
  let connections: ConnectionStore
  let delivery: DeliverySettings
  let evidence: DisputeEvidence
  let wakeUp: WakeUp

  /// - Returns: what was done, in a sentence.
  func perform(_ action: AppAction, _ caller: AppCaller) async throws -> String {
    switch action {
    case .resendKey(let license): try await resendKey(of: license, caller)
    case .resetDevice(let device, let license): try await reset(device, of: license, caller)
    case .suspendLicense(let license): try await suspend(license, caller)
    case .reinstateLicense(let license): try await reinstate(license, caller)
    case .stageEvidence(let dispute, let payment, let replacing):
      try await evidence.stage(dispute, of: payment, replacing: replacing, caller)
    case .saveSettings(let settings): try await save(settings, caller)
    case .disconnect: try await disconnect(caller)
    }
  }

  // MARK: Licenses

  /// A suspension from here is a manual override: it stays through renewals until a person undoes it (`ManualOverride`).
  private func suspend(_ license: LicenseID, _ caller: AppCaller) async throws -> String {
    let purchase = try await purchase(of: license, caller.tenant)
    let client = try await licenseKit.client(for: caller.tenant)
    try await Self.refusingConflicts { _ = try await client.suspendLicense(license) }
    try await tell("License \(license) was suspended in the Stripe Dashboard.", purchase, caller)
    return "The license is suspended."
  }

  private func reinstate(_ license: LicenseID, _ caller: AppCaller) async throws -> String {
    let purchase = try await purchase(of: license, caller.tenant)
    let client = try await licenseKit.client(for: caller.tenant)
    try await Self.refusingConflicts { _ = try await client.reinstateLicense(license) }
    try await tell("License \(license) was reinstated in the Stripe Dashboard.", purchase, caller)
    return "The license is active again."
  }

  private func reset(_ device: DeviceID, of license: LicenseID, _ caller: AppCaller) async throws -> String {
    let purchase = try await purchase(of: license, caller.tenant)
    let client = try await licenseKit.client(for: caller.tenant)
    do {
      _ = try await client.resetLicenseDevice(license, device)
    } catch {
      // The condition cannot be on the catch itself: Swift 6.3.1's compiler never finishes then.
      guard error.retry == .gone else { throw error }
      throw APIFailure.notFound("the license has no such device")
    }
    try await tell("Device \(device) of license \(license) was reset in the Stripe Dashboard.", purchase, caller)
    return "The device is reset."
  }

  /// If a license's state forbids the change, the person made a mistake, not the license server.
  private static func refusingConflicts(_ body: () async throws -> Void) async throws {
    do {
      try await body()
    } catch {
      guard let refusal = error as? LicenseKitError, refusal.retry == .conflict || refusal.retry == .gone else {
        throw error
      }
      throw APIFailure.conflict("the state of the license does not allow this; reload to see that state")
    }
  }

  /// - Throws: 404 for a license that this tenant does not have, even if another tenant has it.
  private func purchase(of license: LicenseID, _ tenant: Tenant) async throws -> PurchaseID {
    let found = try await database.transaction(for: tenant) { transaction in
      try await PurchaseIndex(tenant: tenant, transaction: transaction).purchase(ofLicense: license)
    }
    guard let found else { throw APIFailure.notFound("no license of this account has this id") }
    return found
  }

  /// Has the purchase looked at, so that the change is seen and shown as made by hand, and notes it in the timeline.
  private func tell(_ sentence: String, _ purchase: PurchaseID, _ caller: AppCaller) async throws {
    try await database.transaction(for: caller.tenant) { transaction in
      try await PurchaseIndex(tenant: caller.tenant, transaction: transaction).requestReconcile(
        of: purchase, inspecting: true)
      try await Timeline(tenant: caller.tenant, purchase: purchase, transaction: transaction)
        .add(.note, sentence, detail: caller.actor)
    }
    wakeUp.signal()
  }

  // MARK: The key

  private func resendKey(of license: LicenseID, _ caller: AppCaller) async throws -> String {
    let purchase = try await purchase(of: license, caller.tenant)
    guard delivery.mailer != nil else { throw Self.mailIsOff }
    try await database.transaction(for: caller.tenant) { transaction in
      guard try await MailSettingsStore(tenant: caller.tenant, transaction: transaction).load()?.isEnabled == true
      else {
        throw Self.mailIsOff
      }
      try await KeyMail(tenant: caller.tenant, transaction: transaction).sendAgain(license, of: purchase)
      try await Timeline(tenant: caller.tenant, purchase: purchase, transaction: transaction)
        .add(.note, "The key of license \(license) was sent again from the Stripe Dashboard.", detail: caller.actor)
    }
    delivery.wakeUp.signal()
    return "The key is on its way to the buyer."
  }

  private static let mailIsOff = APIFailure.conflict(
    "mail to buyers is not switched on for this account", code: "KEY_MAIL_OFF")

  // MARK: The account

  private func save(_ settings: TenantSettings, _ caller: AppCaller) async throws -> String {
    try await database.transaction(for: caller.tenant) { transaction in
      try await SettingsStore(tenant: caller.tenant, transaction: transaction).store(settings)
    }
    return "The settings are saved."
  }

  private func disconnect(_ caller: AppCaller) async throws -> String {
    _ = try await connections.disconnect(caller.tenant)
    return "The account is disconnected."
  }
}

/// The mail with the key of a license, sent once more, within a transaction of its tenant.
struct KeyMail {
  let tenant: Tenant
  let transaction: PostgresTransaction

  /// - Throws: 409 `KEY_MAIL_LIMIT` if it was sent too often.
  func sendAgain(_ license: LicenseID, of purchase: PurchaseID) async throws {
    let former = try await transaction.query(
      """
      SELECT d.delivery_id, d.state
        FROM stripe_integration.mailed_licenses m
        JOIN stripe_integration.deliveries d
          ON d.account_id  = m.account_id
         AND d.livemode    = m.livemode
         AND d.delivery_id = m.delivery_id
       WHERE m.account_id = \(tenant.account)
         AND m.livemode   = \(tenant.livemode)
         AND m.license_id = \(license)
      """
    ).first
    guard let former else {
      // The license was issued while mail was off, or its mail is so old that its record was removed.
      try await MessageOutbox(tenant: tenant, purchase: purchase, transaction: transaction).addMail(license)
      return
    }
    // A mail that waits to be sent goes out anyway.
    if try former.get("state", as: String.self) == DeliveryLog.State.pending.rawValue { return }
    let replayed = try await DeliveryLog(tenant: tenant, transaction: transaction)
      .replay(.init(queue: MessageOutbox.mailQueue), id: former.get("delivery_id"))
    guard replayed > 0 else {
      throw APIFailure.conflict(
        "a mail is sent again at most \(DeliveryLog.mostReplaysOfMail) times", code: "KEY_MAIL_LIMIT")
    }
  }
}
