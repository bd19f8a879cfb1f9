import Foundation
import Identity
import LicenseKitAPI
import Logging
import Postgres
import ServerKit
import Synchronization

/// Answers validations, many with one statement: all waiting ones are looked up together, decided, and stamped as seen, on a
/// separate connection. So a validation costs the database a few index look-ups and no transaction of its own, and each still
/// sees what is committed at this moment.
///
/// The connection runs under a role that sees only what such answers need, and may write only the stamps. These are written
/// without waiting for the disk: if the database itself crashes, the last fraction of a second of "last seen" may be lost,
/// and nothing else depends on it.
struct ValidationBatch: Sendable {
  /// The outcome of a question, whose it was, and which key signs.
  struct Answer: Sendable {
    var tenant: TenantID
    var license: LicenseID
    var kid: String?
    /// Refusals are those of ``ValidationQuestion/outcome(from:)``.
    var outcome: Result<ValidationQuestion.Outcome, APIFailure>
  }

  /// Connections of its own.
  static let lanes = 1

  private let batches: GroupCommit<ValidationQuestion, Answer?>

  init(client: PostgresClient, logger: Logger) {
    let codes = FeatureCodes()
    batches = GroupCommit(
      // One lane: measured with 64 connections, larger batches on one answer 1.4 times as much as smaller ones on two.
      client: client, limits: .init(lanes: Self.lanes), sessionRole: DatabaseRole.validation.rawValue,
      synchronousCommit: false, logger: logger,
      // The tenant is not known yet. With this key, at least no license that asks all the time delays the others.
      fairnessKey: { String($0.keyHash.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }, radix: 36) },
      write: { questions, connection in
        let results = try Self.answers(to: questions, codes, connection)
        try Self.stamp(questions, results, connection)
        return results.map { $0?.answer }
      })
  }

  /// Waits for the next batch.
  /// - Throws: `APIFailure`: 401 for an unknown license key; `PostgresError`.
  func answer(_ question: ValidationQuestion) async throws -> Answer {
    guard let answer = try await batches.submit(question) else { throw APIFailure.licenseKeyNotValid }
    return answer
  }

  /// Answers what waits, then ends the connection.
  func shutdown() async { await batches.shutdown() }

  // MARK: Looking up

  /// An answer with the device that was asked about.
  private struct Validated: Sendable {
    var answer: Answer
    var device: ValidationFacts.Device?
  }

  private static func answers(
    to questions: [ValidationQuestion], _ codes: FeatureCodes, _ connection: PostgresLaneConnection
  ) throws(PostgresError) -> [Validated?] {
    var results: [Validated?] = Array(repeating: nil, count: questions.count)
    let found = try connection.query(lookUp(questions)).map(FoundLicense.init)
    let codes = try codes.codes(of: found, connection)
    for license in found where questions.indices.contains(license.index) {
      let (index, facts) = (license.index, license.facts(codes))
      // A place may have been bound twice, by its key and byte for byte. One device that may run is enough.
      if case .success? = results[index]?.answer.outcome { continue }
      let outcome: Result<ValidationQuestion.Outcome, APIFailure>
      do { outcome = .success(try questions[index].outcome(from: facts)) } catch { outcome = .failure(error) }
      results[index] = Validated(
        answer: Answer(tenant: facts.tenant, license: facts.license, kid: facts.kid, outcome: outcome),
        device: facts.device)
    }
    return results
  }

  /// Each part is found through the key of the part before it: licenses_key_hash, then primary and unique keys.
  private static func lookUp(_ questions: [ValidationQuestion]) -> PostgresQuery {
    """
    SELECT a.number, l.tenant_id, l.id, p.license_type, l.state,
           date_part('epoch', l.starts_at)::bigint,
           date_part('epoch', l.expires_at)::bigint,
           date_part('epoch', \(fragment: LicenseRecord.end))::bigint,
           date_part('epoch', l.maintenance_expires_at)::bigint,
           l.entitlement_version + p.revision,
           p.validation_interval_minutes, p.allow_vm, p.allow_container, p.require_heartbeat,
           d.id, d.status, d.holds_seat,
           date_part('epoch', d.lease_expires_at)::bigint,
           date_part('epoch', d.last_validated_at)::bigint,
           (SELECT string_agg(concat_ws('|', g.feature_id, CASE WHEN g.enabled THEN 1 ELSE 0 END,
                                        coalesce(g.max_consumptions::text, ''), g.total_consumptions,
                                        coalesce(date_part('epoch', g.expires_at)::bigint::text, '')), ' ')
              FROM license_server.license_features g
             WHERE g.tenant_id = l.tenant_id AND g.license_id = l.id),
           CASE WHEN a.version <> '' THEN EXISTS (SELECT
                                                    FROM license_server.product_versions v
                                                   WHERE v.tenant_id = l.tenant_id AND v.product_id = l.product_id) END,
           CASE WHEN a.version <> '' THEN (SELECT date_part('epoch', v.released_at)::bigint
                                             FROM license_server.product_versions v
                                            WHERE v.tenant_id = l.tenant_id AND v.product_id = l.product_id
                                              AND v.version = a.version) END,
           k.kid
      FROM unnest(\(questions.map(\.keyHash)),
                  \(questions.map { $0.host ?? "" }),
                  \(questions.map(\.binding.key)),
                  \(questions.map(\.binding.writtenKey)),
                  \(questions.map { $0.binding.request.appVersion ?? "" }))
           WITH ORDINALITY AS a (key_hash, host, binding_key, written_key, version, number)
      JOIN license_server.licenses l ON l.key_hash = a.key_hash
      JOIN license_server.policies p ON p.tenant_id = l.tenant_id AND p.id = l.policy_id
      LEFT JOIN license_server.devices d
        ON d.tenant_id = l.tenant_id AND d.license_id = l.id AND d.binding_key = ANY(ARRAY[a.binding_key, a.written_key])
      LEFT JOIN license_server.signing_keys k ON k.tenant_id = l.tenant_id AND k.status = 'active'
     WHERE NOT EXISTS (SELECT
                         FROM license_server.tenants t
                        WHERE t.host_name = a.host AND t.tenant_id <> l.tenant_id)
    """
  }

  // MARK: Stamping

  /// Stamps the devices as seen. A device that another transaction is writing at this moment is skipped: nobody waits for a
  /// stamp, and two batches never wait for each other.
  private static func stamp(
    _ questions: [ValidationQuestion], _ results: [Validated?], _ connection: PostgresLaneConnection
  ) throws(PostgresError) {
    var stamps = Stamps()
    for (question, result) in zip(questions, results) {
      guard question.kind == .validate, let validated = result, let device = validated.device,
        case .success(.answered) = validated.answer.outcome
      else { continue }
      // Times are whole seconds: a device validated twice within one is stamped once.
      if let last = device.lastValidatedAt, last >= question.now { continue }
      stamps.add(question, device.id, of: validated.answer)
    }
    guard !stamps.isEmpty else { return }
    try connection.query(stamps.statement)
  }

  private struct Stamps {
    private var tenants: [String] = []
    private var licenses: [String] = []
    private var devices: [String] = []
    private var addresses: [String] = []
    private var times: [Date] = []

    var isEmpty: Bool { devices.isEmpty }

    mutating func add(_ question: ValidationQuestion, _ device: DeviceID, of answer: Answer) {
      tenants.append(answer.tenant.rawValue)
      licenses.append(answer.license.rawValue)
      devices.append(device.rawValue)
      addresses.append(question.address)
      times.append(question.now)
    }

    var statement: PostgresQuery {
      """
      UPDATE license_server.devices d
         SET last_seen_at      = s.seen_at,
             last_validated_at = s.seen_at,
             ip_address        = s.address
        FROM (SELECT o.tenant_id, o.license_id, o.id, a.seen_at, a.address
                FROM unnest(\(tenants), \(licenses), \(devices), \(addresses), \(times))
                     AS a (tenant_id, license_id, id, address, seen_at)
                JOIN license_server.devices o
                  ON o.tenant_id = a.tenant_id AND o.license_id = a.license_id AND o.id = a.id
                 FOR NO KEY UPDATE OF o SKIP LOCKED) s
       WHERE d.tenant_id = s.tenant_id AND d.license_id = s.license_id AND d.id = s.id
      """
    }
  }
}

/// One row of the look-up, by the place of its columns. Features are still named by their ids.
private struct FoundLicense {
  /// Which question it answers.
  let index: Int
  private let features: [(id: FeatureID, given: ValidationFacts.GivenFeature)]
  private let partial: ValidationFacts

  init(_ row: PostgresRow) throws(PostgresError) {
    index = Int(try row.get(at: 0, as: Int64.self)) - 1
    var device: ValidationFacts.Device?
    if let id: DeviceID = try row.get(at: 14) {
      device = .init(
        id: id, stored: try row.value(at: 15), holdsSeat: try row.get(at: 16), leaseExpiresAt: try row.seconds(at: 17),
        lastValidatedAt: try row.seconds(at: 18))
    }
    var catalog: ValidationFacts.Catalog?
    if let hasVersions: Bool = try row.get(at: 20) {
      catalog = .init(hasVersions: hasVersions, releasedAt: try row.seconds(at: 21))
    }
    features = try Self.features(try row.get(at: 19) ?? "")
    partial = ValidationFacts(
      tenant: try row.get(at: 1), license: try row.get(at: 2), type: try row.value(at: 3),
      lifecycle: LicenseLifecycle(
        state: try row.value(at: 4), expiresAt: try row.seconds(at: 6), endsAt: try row.seconds(at: 7)),
      startsAt: try row.seconds(at: 5), maintenanceExpiresAt: try row.seconds(at: 8),
      entitlementVersion: try row.get(at: 9),
      policy: .init(
        validationIntervalMinutes: try row.get(at: 10), allowsVM: try row.get(at: 11),
        allowsContainer: try row.get(at: 12), requiresHeartbeat: try row.get(at: 13)),
      device: device, features: [], catalog: catalog, kid: try row.get(at: 22))
  }

  var tenant: TenantID { partial.tenant }
  var featureIDs: some Sequence<FeatureID> { features.lazy.map(\.id) }

  func facts(_ codes: [FeatureID: String]) -> ValidationFacts {
    var facts = partial
    facts.features = features.compactMap { feature in
      guard let code = codes[feature.id] else { return nil }
      var given = feature.given
      given.code = code
      return given
    }
    // As SQL sorts codes, byte by byte.
    facts.features.sort { $0.code.utf8.lexicographicallyPrecedes($1.code.utf8) }
    return facts
  }

  /// Features as the look-up writes them: parted by spaces, their parts by bars; an id contains neither.
  private static func features(
    _ text: String
  ) throws(PostgresError) -> [(id: FeatureID, given: ValidationFacts.GivenFeature)] {
    var features: [(id: FeatureID, given: ValidationFacts.GivenFeature)] = []
    for entry in text.split(separator: " ") {
      let parts = entry.split(separator: "|", omittingEmptySubsequences: false)
      guard parts.count == 5, let used = Int64(parts[3]) else {
        throw PostgresError(.decoding, "a feature was not written as expected")
      }
      let given = ValidationFacts.GivenFeature(
        code: "", enabled: parts[1] == "1", quota: Int64(parts[2]), used: used,
        endsAt: Int64(parts[4]).map { Date(timeIntervalSince1970: Double($0)) })
      features.append((FeatureID(String(parts[0])), given))
    }
    return features
  }
}

/// The codes of features. They can be cached because they never change: a feature can be neither edited nor deleted, and its
/// id is never reused.
private final class FeatureCodes: Sendable {
  private let known = Mutex<[FeatureID: String]>([:])
  /// Enough for the products that are active at the same time.
  private static let capacity = 65_536

  /// The code of every feature of these licenses; one statement asks for the unknown ones.
  func codes(of licenses: [FoundLicense], _ connection: PostgresLaneConnection) throws(PostgresError) -> [FeatureID:
    String]
  {
    var codes: [FeatureID: String] = [:]
    var missing: [FeatureID: TenantID] = [:]
    known.withLock { known in
      for license in licenses {
        for id in license.featureIDs where codes[id] == nil {
          if let code = known[id] { codes[id] = code } else { missing[id] = license.tenant }
        }
      }
    }
    guard !missing.isEmpty else { return codes }
    let rows = try connection.query(
      """
      SELECT f.id, f.code
        FROM unnest(\(missing.values.map(\.rawValue)), \(missing.keys.map(\.rawValue))) AS a (tenant_id, id)
        JOIN license_server.features f ON f.tenant_id = a.tenant_id AND f.id = a.id
      """)
    var learned: [FeatureID: String] = [:]
    for row in rows { learned[try row.get(at: 0)] = try row.get(at: 1, as: String.self) }
    known.withLock { known in
      if known.count + learned.count > Self.capacity { known.removeAll() }
      known.merge(learned) { _, new in new }
    }
    return codes.merging(learned) { _, new in new }
  }
}

extension PostgresRow {
  fileprivate func value<T: RawRepresentable<String>>(at column: Int) throws(PostgresError) -> T {
    guard let value = T(rawValue: try get(at: column, as: String.self)) else {
      throw PostgresError(.decoding, "column \(column) holds no \(T.self)")
    }
    return value
  }

  fileprivate func seconds(at column: Int) throws(PostgresError) -> Date? {
    try get(at: column, as: Int64?.self).map { Date(timeIntervalSince1970: Double($0)) }
  }
}
