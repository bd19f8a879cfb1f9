import Foundation
import Hummingbird
import Identity
import JSON
import Purchases
import ServerKit
import StripeAPI
import Tenancy

extension AdminRoutes {
  /// What the vendor has chosen for the whole account.
  func getSettings(_ call: AdminCall) async throws -> Response {
    let settings = try await database.transaction(for: call.tenant) { transaction in
      try await SettingsStore(tenant: call.tenant, transaction: transaction).load()
    }
    return try Answer.data(SettingsView(settings, of: call.tenant), context: call.context)
  }

  /// Changes the fields that are given. A change applies to events from then on.
  func patchSettings(_ call: AdminCall) async throws -> Response {
    let patch = try call.decodeBody(SettingsPatch.self)
    let settings = try await database.transaction(for: call.tenant) { transaction in
      let store = SettingsStore(tenant: call.tenant, transaction: transaction)
      var settings = try await store.load()
      settings.barePayments = patch.barePayments ?? settings.barePayments
      settings.updateCustomers = patch.updateCustomers ?? settings.updateCustomers
      try await store.store(settings)
      try await AuditLog(tenant: call.tenant, transaction: transaction).add(
        call.entry("settings.update", call.tenant.description, detail: call.body.keys.joined(separator: ", ")))
      return settings
    }
    return try Answer.data(SettingsView(settings, of: call.tenant), context: call.context)
  }
}

private struct SettingsPatch: Decodable {
  var barePayments: Bool?
  var updateCustomers: Bool?
}

private struct SettingsView: Encodable {
  let accountID: Stripe.AccountID
  let livemode: Bool
  let barePayments: Bool
  let updateCustomers: Bool

  init(_ settings: TenantSettings, of tenant: Tenant) {
    accountID = tenant.account
    livemode = tenant.livemode
    barePayments = settings.barePayments
    updateCustomers = settings.updateCustomers
  }
}
