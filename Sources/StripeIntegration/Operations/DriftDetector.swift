import Foundation
import Identity
import LicenseKitAPI
import Logging
import Postgres
import Purchases
import Queue
import ServerKit
import ServiceLifecycle
import Storage
import StripeAPI
import Tenancy

/// The drift detector: reads each tenant's trail of events at LicenseKit, and has a purchase looked at if one of its licenses
/// is not as this service left it.
///
/// A change that it misses (because a trail may not be read, for example) is still seen before this service changes the
/// license, and when the purchase is replayed.
struct DriftDetector: Service {
  let database: TenantDatabase
  let licenseKit: any LicenseKitAccess
  let wakeUp: WakeUp
  /// Between two looks at one tenant.
  let interval: Duration
  let logger: Logger

  /// The most pages of a trail that one look reads. A busier trail is read from its newest entries.
  static let mostPages = 25
  static let pageSize = 200
  /// The most licenses that one look asks for. If more have changed, each of the rest is looked at before this service
  /// changes it.
  static let mostLicenses = 500
  /// Tenants that are looked at concurrently, so that one whose LicenseKit hangs does not delay the others.
  static let concurrency = 8
  /// A look that takes longer is given up. The next look then reads the trail from the same place.
  static let longestLook: Duration = .seconds(60)

  /// The events that change whether a license works, and for how long. If another server names its events differently,
  /// nothing is detected here.
  static let eventTypes: Set<String> = [
    "license.suspended", "license.reinstated", "license.revoked", "license.renewed",
  ]

  func run() async throws {
    await cancelWhenGracefulShutdown {
      await withTaskGroup(of: Void.self) { group in
        for _ in 0..<Self.concurrency { group.addTask { await detectContinuously() } }
      }
    }
  }

  private func detectContinuously() async {
    await WorkLoop(
      name: "drift detector", wakeUp: WakeUp(), pollInterval: min(interval, .seconds(30)), logger: logger
    ).run {
      guard let tenant = try await claim() else { return false }
      await look(at: tenant)
      return true
    }
  }

  /// The tenant that has been due longest. It is not due again before the interval has passed, whatever the result of the
  /// look.
  func claim() async throws -> Tenant? {
    let seconds = interval / .seconds(1)
    let queue = ClaimQueue<Tenant>(
      table: "stripe_integration.license_watches",
      claim: .repeated("(0.9 + random() / 5) * make_interval(secs => \(seconds)::double precision)"))
    return try await database.transaction(as: .worker) { transaction in try await queue.claimNext(in: transaction) }
  }

  private func look(at tenant: Tenant) async {
    do {
      let requested = try await withThrowingTaskGroup(of: Int.self) { group in
        group.addTask { try await read(tenant) }
        group.addTask {
          try await Task.sleep(for: Self.longestLook)
          throw TookTooLong()
        }
        defer { group.cancelAll() }
        return try await group.next() ?? 0
      }
      if requested > 0 {
        logger.info("licenses were changed by hand", metadata: ["tenant": "\(tenant)", "purchases": "\(requested)"])
        wakeUp.signal()
      }
    } catch {
      let why = (error as? LicenseKitError)?.description ?? "\(type(of: error))"
      logger.notice("events of LicenseKit cannot be read", metadata: ["tenant": "\(tenant)", "reason": "\(why)"])
      try? await note(why, of: tenant)
    }
  }

  private struct TookTooLong: Error {}

  /// Reads what is new in one tenant's trail.
  /// - Returns: how many purchases are to be looked at.
  @discardableResult
  func read(_ tenant: Tenant) async throws -> Int {
    guard let position = try await position(of: tenant), position.canBeRead else { return 0 }
    let client = try await licenseKit.client(for: tenant)
    var newest = position.last
    // The newest event of each license counts; the trail begins with the newest.
    var changed: [LicenseID: String] = [:]
    var cursor: Int64?
    pages: for number in 0..<Self.mostPages {
      let page = try await client.listEvents(
        LicenseKitAPI.EventFilter(cursor: cursor, limit: Self.pageSize, resourceType: "license"))
      if number == 0, let first = page.events.first, let last = position.last, first.sequence < last {
        // This is another server, or an older state of it: its trail is followed from here on.
        newest = first.sequence
        break
      }
      for event in page.events {
        newest = max(newest ?? 0, event.sequence)
        // The first look only finds the end of the trail. Older changes are compared when their license is next looked at.
        guard let last = position.last, event.sequence > last else { break pages }
        if let id = event.resourceID.map({ LicenseID($0) }), Self.eventTypes.contains(event.eventType) {
          if changed[id] == nil, changed.count < Self.mostLicenses { changed[id] = event.eventType }
        }
      }
      cursor = page.nextCursor
      guard cursor != nil else { break }
    }
    let requested = try await requestReconcile(of: try await differing(changed, of: tenant, client), for: tenant)
    try await remember(newest ?? 0, of: tenant)
    return requested
  }

  private struct Position {
    let last: Int64?
    /// Nothing blocks the tenant: it is connected, not blocked, and no outage is known.
    let canBeRead: Bool
  }

  private func position(of tenant: Tenant) async throws -> Position? {
    try await database.transaction(for: tenant) { transaction in
      let row = try await transaction.query(
        """
        SELECT last_sequence
          FROM stripe_integration.license_watches
         WHERE account_id = \(tenant.account)
           AND livemode   = \(tenant.livemode)
        """
      ).first
      guard let row else { return nil }
      let blockage = try await Blockage.of(tenant, in: transaction)
      return Position(last: try row.get("last_sequence"), canBeRead: blockage == nil)
    }
  }

  private struct Known: Sendable {
    let license: LicenseID
    let purchase: PurchaseID
    let status: Recorded.Unit.Status?
    let unit: Recorded.Unit
  }

  /// The purchases of those licenses that are not as this service left them.
  ///
  /// This service's own changes are in the trail too: a license whose status equals the recorded one needs no look.
  private func differing(
    _ licenses: [LicenseID: String], of tenant: Tenant, _ client: any LicenseKitClient
  ) async throws -> Set<PurchaseID> {
    var found: Set<PurchaseID> = []
    for known in try await known(licenses.keys.map(\.rawValue).sorted(), of: tenant) {
      if let status = known.status, licenses[known.license] == Self.event(leadingTo: status) { continue }
      let license: License
      do {
        license = try await client.getLicense(known.license)
      } catch {
        guard error.retry == .gone else { throw error }
        continue
      }
      var unit = known.unit
      _ = unit.observe(license.status, expiresAt: license.expiresAt)
      if unit != known.unit { found.insert(known.purchase) }
    }
    return found
  }

  private static func event(leadingTo status: Recorded.Unit.Status) -> String {
    switch status {
    case .active: "license.reinstated"
    case .suspended: "license.suspended"
    case .revoked: "license.revoked"
    }
  }

  private func known(_ licenses: [String], of tenant: Tenant) async throws -> [Known] {
    guard !licenses.isEmpty else { return [] }
    return try await database.transaction(for: tenant) { transaction in
      try await transaction.query(
        """
        SELECT license_id, purchase_id, license_status, expires_at, by_hand, unsettled
          FROM stripe_integration.units
         WHERE account_id = \(tenant.account)
           AND livemode   = \(tenant.livemode)
           AND license_id = ANY(\(licenses))
        """
      ).map { row in
        let id: LicenseID = try row.get("license_id")
        let status = try row.get("license_status", as: String?.self).flatMap(Recorded.Unit.Status.init(rawValue:))
        return Known(
          license: id, purchase: try row.get("purchase_id"), status: status,
          unit: Recorded.Unit(
            generation: 1,
            license: .issued(id, status: status ?? .active, expiresAt: try row.get("expires_at"), features: []),
            inFlight: try row.get("unsettled", as: String?.self).flatMap(Recorded.Unit.InFlight.init(rawValue:)),
            manualOverrides: Set(try row.get("by_hand", as: [String].self).compactMap(ManualOverride.init(rawValue:)))))
      }
    }
  }

  private func requestReconcile(of purchases: Set<PurchaseID>, for tenant: Tenant) async throws -> Int {
    guard !purchases.isEmpty else { return 0 }
    try await database.transaction(for: tenant) { transaction in
      let index = PurchaseIndex(tenant: tenant, transaction: transaction)
      for purchase in purchases.sorted() { try await index.requestReconcile(of: purchase, inspecting: true) }
    }
    return purchases.count
  }

  private func remember(_ sequence: Int64, of tenant: Tenant) async throws {
    try await database.transaction(for: tenant) { transaction in
      _ = try await transaction.query(
        """
        UPDATE stripe_integration.license_watches
           SET last_sequence = \(sequence),
               note          = NULL
         WHERE account_id = \(tenant.account)
           AND livemode   = \(tenant.livemode)
        """)
    }
  }

  private func note(_ text: String, of tenant: Tenant) async throws {
    try await database.transaction(for: tenant) { transaction in
      _ = try await transaction.query(
        """
        UPDATE stripe_integration.license_watches
           SET note = \(text)
         WHERE account_id = \(tenant.account)
           AND livemode   = \(tenant.livemode)
        """)
    }
  }
}

/// Begins to look for drift at a tenant's LicenseKit once the first license is issued there.
struct DriftListener: StepListener {
  func recorded(_ step: RecordedStep, in transaction: PostgresTransaction) async throws {
    guard step.isIssue else { return }
    try await transaction.query(
      """
      INSERT INTO stripe_integration.license_watches (account_id, livemode)
      VALUES (\(step.tenant.account), \(step.tenant.livemode))
      ON CONFLICT DO NOTHING
      """)
  }
}
