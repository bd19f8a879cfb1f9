import Foundation
import Identity
import JSON
import LicenseKitAPI
import Postgres
import ServerKit

/// The limits of a policy that only the operator sets. A limit that is nil does not change.
package struct PolicyLimits: Hashable, Sendable {
  /// Devices that may be active at once, 1 to 1 000 000.
  package var maxActivations: Int?
  /// Containers that may be active at once, counted apart from devices, 1 to 1 000 000.
  package var maxContainerInstances: Int?
  /// Whether containers share the places of ``maxActivations`` again; excludes ``maxContainerInstances``.
  package var containersShareActivations = false
  /// Days after the expiry during which the license still works, 0 to 3 650. Holds at once for every license of the policy.
  package var gracePeriodDays: Int?
  /// Minutes until the application should ask again, 1 to 525 600.
  package var validationIntervalMinutes: Int?
  /// Whether offline envelopes may be issued.
  package var allowOfflineActivation: Bool?
  /// Days an offline envelope stays good, 0 to 3 650.
  package var offlineGraceDays: Int?
  /// Whether virtual machines may be bound.
  package var allowVM: Bool?
  /// Whether containers may be bound.
  package var allowContainer: Bool?
  /// How often a license may change hands; 0 for as often as wanted.
  package var maxTransfers: Int?

  /// Limits that change nothing until one is set.
  package init() {}

  /// Refuses what is out of bounds, and a request that changes nothing: 422, naming the field.
  func check() throws(APIFailure) {
    guard self != PolicyLimits() else { throw .validation("max_activations: give at least one limit to change") }
    guard !containersShareActivations || maxContainerInstances == nil else {
      throw .validation(field: "max_container_instances", "give a number or none, not both")
    }
    try Checks.range(maxActivations, "max_activations", 1...1_000_000)
    try Checks.range(maxContainerInstances, "max_container_instances", 1...1_000_000)
    try Checks.range(gracePeriodDays, "grace_period_days", 0...3_650)
    try Checks.range(validationIntervalMinutes, "validation_interval_minutes", 1...525_600)
    try Checks.range(offlineGraceDays, "offline_grace_days", 0...3_650)
    try Checks.range(maxTransfers, "max_transfers", 0...1_000_000)
  }

  /// What the audit trail says about a change: the new limits.
  var auditFacts: JSONObject {
    var facts = JSONObject()
    facts["max_activations"] = maxActivations.map { .integer(Int64($0)) }
    facts["max_container_instances"] = maxContainerInstances.map { .integer(Int64($0)) }
    if containersShareActivations { facts["max_container_instances"] = .null }
    facts["grace_period_days"] = gracePeriodDays.map { .integer(Int64($0)) }
    facts["validation_interval_minutes"] = validationIntervalMinutes.map { .integer(Int64($0)) }
    facts["allow_offline_activation"] = allowOfflineActivation.map { .bool($0) }
    facts["offline_grace_days"] = offlineGraceDays.map { .integer(Int64($0)) }
    facts["allow_vm"] = allowVM.map { .bool($0) }
    facts["allow_container"] = allowContainer.map { .bool($0) }
    facts["max_transfers"] = maxTransfers.map { .integer(Int64($0)) }
    return facts
  }
}

extension Policies {
  /// Sets the limits that the contract leaves to the operator. One row changes, however many licenses the policy has: the
  /// effects are computed when a license is read.
  func setLimits(_ id: PolicyID, _ limits: PolicyLimits, for caller: Caller) async throws -> Policy {
    try limits.check()
    let now = clock.now()
    return try await store.transaction(caller.tenant) { transaction in
      let rows = try await transaction.query(
        """
        UPDATE license_server.policies
           SET max_activations             = coalesce(\(limits.maxActivations), max_activations),
               max_container_instances     = CASE WHEN \(limits.containersShareActivations) THEN NULL
                                                  ELSE coalesce(\(limits.maxContainerInstances), max_container_instances) END,
               grace_period_days           = coalesce(\(limits.gracePeriodDays), grace_period_days),
               validation_interval_minutes = coalesce(\(limits.validationIntervalMinutes), validation_interval_minutes),
               allow_offline_activation    = coalesce(\(limits.allowOfflineActivation), allow_offline_activation),
               offline_grace_days          = coalesce(\(limits.offlineGraceDays), offline_grace_days),
               allow_vm                    = coalesce(\(limits.allowVM), allow_vm),
               allow_container             = coalesce(\(limits.allowContainer), allow_container),
               max_transfers               = coalesce(\(limits.maxTransfers), max_transfers),
               revision                    = revision + 1,
               updated_at                  = \(now)
         WHERE tenant_id = \(caller.tenant) AND id = \(id)
        RETURNING \(fragment: Self.columns)
        """)
      guard let row = rows.first else { throw APIFailure.notFound("policy") }
      try await EventLog.append(
        .policyUpdated, id.rawValue, by: caller, at: now, metadata: limits.auditFacts, in: transaction)
      return try Policy(row: row)
    }
  }
}
