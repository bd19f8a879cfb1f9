import Foundation
import Identity
import JSON
import LicenseKitAPI
import Postgres

/// Appends to the audit trail in the transaction of the change: no change without its entry, and no entry without its change.
enum EventLog {
  /// What happened. The raw value is the contract's `event_type`.
  enum Kind: String, Sendable, CaseIterable {
    case productCreated = "product.created"
    case productUpdated = "product.updated"
    case productDeleted = "product.deleted"
    case productVersionCreated = "product_version.created"
    case policyCreated = "policy.created"
    case policyUpdated = "policy.updated"
    case policyDeleted = "policy.deleted"
    case featureCreated = "feature.created"
    case featureAssigned = "feature.assigned"
    case featureRemoved = "feature.removed"
    case customerCreated = "customer.created"
    case customerUpdated = "customer.updated"
    case customerDeleted = "customer.deleted"
    case orderCreated = "order.created"
    case orderUpdated = "order.updated"
    case subscriptionCreated = "subscription.created"
    case subscriptionUpdated = "subscription.updated"
    case licenseCreated = "license.created"
    case licenseRenewed = "license.renewed"
    case licenseSuspended = "license.suspended"
    case licenseReinstated = "license.reinstated"
    case licenseRevoked = "license.revoked"
    case licenseTransferred = "license.transferred"
    case licenseActivated = "license.activated"
    case licenseDeactivated = "license.deactivated"
    case licenseOfflineIssued = "license.offline_issued"
    case floatingCheckedOut = "floating.checked_out"
    case floatingCheckedIn = "floating.checked_in"
    case floatingExpired = "floating.expired"
    case usageConsumed = "usage.consumed"
    case usageReset = "usage.reset"
    case deviceReset = "device.reset"
    case deviceBlacklisted = "device.blacklisted"
    case apiKeyCreated = "api_key.created"
    case apiKeyRevoked = "api_key.revoked"
    case customFieldCreated = "custom_field.created"
    case customFieldUpdated = "custom_field.updated"
    case customFieldDeleted = "custom_field.deleted"
    case customFieldValueSet = "custom_field_value.set"
    case customFieldValueCleared = "custom_field_value.cleared"
    case tenantCreated = "tenant.created"
    case tenantUpdated = "tenant.updated"
    case signingKeyCreated = "signing_key.created"
    case signingKeyRetired = "signing_key.retired"
    case webhookCreated = "webhook.created"
    case webhookUpdated = "webhook.updated"
    case webhookDeleted = "webhook.deleted"
    case reportExportCreated = "report_export.created"

    /// The kind of record that the event is about: the word before the dot. Feature, usage and floating events are about a
    /// license.
    var resourceType: String {
      switch self {
      case .featureAssigned, .featureRemoved, .usageConsumed, .usageReset: "license"
      case .floatingCheckedOut, .floatingCheckedIn, .floatingExpired: "license"
      default: String(rawValue.prefix(while: { $0 != "." }))
      }
    }
  }

  /// Appends one entry about a resource. `metadata` never holds a key, a token, a buyer's address or a binding value.
  ///
  /// - Parameter resourceType: the type of the resource, if the kind does not say it.
  static func append(
    _ kind: Kind, _ resource: String, of resourceType: String? = nil, by caller: Caller, at now: Date,
    metadata: JSONObject = JSONObject(),
    in transaction: PostgresTransaction
  ) async throws {
    let resourceType = resourceType ?? kind.resourceType
    try await transaction.query(
      """
      INSERT INTO license_server.events
             (tenant_id, event_type, actor_type, actor_id,
              resource_type, resource_id, metadata, ip_address, created_at)
      VALUES (\(caller.tenant), \(kind.rawValue), \(caller.actor.type.rawValue), \(caller.actor.id),
              \(resourceType), \(resource), \(metadata.stored)::json, \(caller.address), \(now))
      """)
    try await ActivityLog.append(
      kind, resource, of: resourceType, by: caller, at: now, metadata: metadata, in: transaction)
  }
}
