import Foundation
import Identity
import JSON
import LicenseKitAPI
import Postgres
import ServerKit

extension SubjectReports {
  /// Everything about one license: what it is, what it has, and what happened to it, newest first.
  /// - Throws: 404 for an unknown license.
  func audit(_ request: LicenseAuditRequest, for caller: Caller) async throws -> JSONObject {
    let now = clock.now()
    return try await store.report(caller.tenant) { transaction in
      let license = try await LicenseRecord.find(request.id, for: caller, now: now, in: transaction).license
      let devices = try await devices(of: license.id, for: caller, in: transaction)
      var filter = UsageFilter()
      filter.licenseID = license.id
      let usage = try await UsageSummary.load(
        filter, window: request.window, groupBy: [.featureCode], limit: Limit.maximum, for: caller, in: transaction)
      let (events, more) = try await events(
        of: [license.id.rawValue] + devices.map(\.id), request, for: caller, in: transaction)

      var facts = license.reportFacts
      facts.set("license_type", try await type(of: license, for: caller, in: transaction))
      return [
        "window": request.window.json,
        "license": .object(facts),
        "features": .array(try await features(of: license.id, for: caller, in: transaction)),
        "devices": .array(devices.map(\.json)),
        "usage": ["totals": .object(usage.totals.json), "groups": usage.groupsJSON],
        "refusals": try await refusals(of: license.id, request.window, for: caller, in: transaction),
        "events": .array(events),
        "truncated": .bool(more),
      ]
    }
  }

  private func type(
    of license: License, for caller: Caller, in transaction: PostgresTransaction
  ) async throws -> String {
    try await Policies.find(license.policyID, for: caller, in: transaction).licenseType.rawValue
  }

  private func features(
    of license: LicenseID, for caller: Caller, in transaction: PostgresTransaction
  ) async throws -> [JSONValue] {
    try await transaction.query(
      """
      \(fragment: LicenseFeatures.selection)
       WHERE a.tenant_id = \(caller.tenant) AND a.license_id = \(license)
       ORDER BY f.code
       LIMIT \(Limit.maximum)
      """
    ).all { row in
      let feature = try LicenseFeature(row: row)
      var object: JSONObject = ["feature_code": .string(feature.featureCode), "enabled": .bool(feature.enabled)]
      object.set("total_consumptions", feature.totalConsumptions)
      object.set("max_consumptions", feature.maxConsumptions)
      object.set("remaining", feature.remaining)
      object.set("expires_at", feature.expiresAt)
      return .object(object)
    }
  }

  private struct SeenDevice: Sendable {
    var id: String
    var json: JSONValue
  }

  /// The newest devices, without what identifies a machine.
  private func devices(
    of license: LicenseID, for caller: Caller, in transaction: PostgresTransaction
  ) async throws -> [SeenDevice] {
    try await transaction.query(
      """
      SELECT id, binding_kind, status, os, first_seen_at, last_seen_at, last_validated_at
        FROM license_server.devices
       WHERE tenant_id = \(caller.tenant) AND license_id = \(license)
       ORDER BY id DESC
       LIMIT \(Limit.maximum)
      """
    ).all { row in
      var object = JSONObject()
      try object.take("id", "binding_kind", "status", "os", from: row)
      for column in ["first_seen_at", "last_seen_at", "last_validated_at"] {
        object.set(column, try row.get(column, as: Date?.self))
      }
      return SeenDevice(id: try row.get("id"), json: .object(object))
    }
  }

  /// What happened to the license and its devices, each asked for by itself so that its index serves it.
  private func events(
    of resources: [String], _ request: LicenseAuditRequest, for caller: Caller, in transaction: PostgresTransaction
  ) async throws -> ([JSONValue], more: Bool) {
    let found = try await transaction.query(
      """
      SELECT e.sequence, e.created_at, e.event_type, e.actor_type, e.actor_id, e.resource_type, e.resource_id,
             e.metadata::text AS metadata
        FROM unnest(\(resources)) AS r (id)
       CROSS JOIN LATERAL (SELECT *
                             FROM license_server.events
                            WHERE tenant_id = \(caller.tenant) AND resource_id = r.id
                              AND created_at >= \(request.window.from) AND created_at < \(request.window.to)
                            ORDER BY created_at DESC, sequence DESC
                            LIMIT \(request.limit + 1)) e
       ORDER BY e.created_at DESC, e.sequence DESC
       LIMIT \(request.limit + 1)
      """
    ).all { row in
      var object = JSONObject()
      object.set("sequence", try row.get("sequence", as: Int64.self))
      object.set("created_at", try row.get("created_at", as: Date.self))
      try object.take("event_type", "actor_type", "actor_id", "resource_type", "resource_id", from: row)
      object["metadata"] = .object(try row.metadata())
      return JSONValue.object(object)
    }
    return (Array(found.prefix(request.limit)), found.count > request.limit)
  }

  private func refusals(
    of license: LicenseID, _ window: ReportWindow, for caller: Caller, in transaction: PostgresTransaction
  ) async throws -> JSONValue {
    try await CountsByText.load(
      """
      SELECT reason_code AS text, count(*) AS count
        FROM (SELECT reason_code
                FROM license_server.activities
               WHERE tenant_id = \(caller.tenant) AND license_id = \(license) AND \(fragment: window.sequences)
                 AND result_class <> 'success' AND reason_code IS NOT NULL
               ORDER BY sequence DESC
               LIMIT \(Self.maximumCounted)) found
       GROUP BY reason_code
       ORDER BY count DESC, reason_code
      """, in: transaction
    ).json(by: "reason")
  }
}
