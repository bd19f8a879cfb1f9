import Foundation
import Identity
import JSON
import Logging
import Metrics
import Postgres
import Purchases
import ServerKit
import StripeAPI
import StripeHTTP
import Tenancy

/// Reads Stripe's list of events and puts into the inbox those that no webhook has brought. From then on they are handled
/// like all others.
///
/// Normally this is one call: the list without a filter fits on a single page. Only if there is more, the event types that
/// have an effect are asked for, 20 at a time.
struct EventSyncWork: JobWork {
  let database: TenantDatabase
  let stripe: any StripeAccess
  let wakeUp: WakeUp
  let logger: Logger
  var pageSize = 100

  private let found = Counter(label: "stripe_events_found_by_sweep_total")

  init(
    database: TenantDatabase, stripe: any StripeAccess, wakeUp: WakeUp, pageSize: Int = 100, logger: Logger
  ) {
    self.database = database
    self.stripe = stripe
    self.wakeUp = wakeUp
    self.pageSize = pageSize
    self.logger = logger
  }

  /// Stripe lists events of the last 30 days (API reference, "Events"). We read an hour less, so that what is asked for still
  /// exists.
  static let reach: TimeInterval = 30 * 86_400 - 3_600
  /// How much is read again each time: an event may become visible a little after its own time.
  static let overlap: TimeInterval = 600
  /// A planned sync leaves events that are newer than this to their webhooks, which may be on their way.
  static let patience: TimeInterval = 120

  static let counts = ["pages", "events", "found", "reopened"]

  /// How far an event sync has come.
  struct Cursor: Codable, Hashable {
    /// Unix seconds; events made then or later are asked for.
    var since: Int64
    /// Unix seconds; set if reading should have begun further back than Stripe lists events.
    var gapSince: Int64?
    /// Unix seconds on Stripe's clock: everything made before is known after this sync. Nil before the first page.
    var until: Int64?
    /// The index of the group of types being read; nil for all types.
    var group: Int?
    var after: String?

    /// Names the page.
    var name: String { "\(group.map { String($0) } ?? "all")/\(after ?? "")" }
  }

  /// Whether a person asked for the sync: then the newest events are read as well.
  static let parameters = (
    scheduled: JSONObject([("newest", .bool(false))]), asked: JSONObject([("newest", .bool(true))])
  )

  func step(_ job: Job) async throws -> JobStep {
    var cursor: Cursor
    if let text = job.cursor {
      cursor = try JSONCoding.decode(Cursor.self, from: text)
    } else {
      cursor = try await begin(job)
    }
    let page: StripePage
    do {
      page = try await self.page(cursor, job.tenant)
    } catch let error as StripeError where error.retry == .permission {
      try await database.transaction(for: job.tenant) { transaction in
        try await EventSyncStore(tenant: job.tenant, transaction: transaction).note(problem: Self.notPermitted)
      }
      throw JobFailure(reason: "\(Self.notPermitted) \(error)")
    }
    let patience = job.parameters["newest"]?.bool == true ? 0 : Self.patience
    let moment = page.readNotBefore.addingTimeInterval(-patience)
    let until = cursor.until ?? Int64(moment.timeIntervalSince1970.rounded(.down))
    cursor.until = until
    var counts = try await takeIn(page, cursor.name, job, before: patience == 0 ? nil : until)
    counts["pages"] = 1

    if cursor.group == nil, page.nextCursor == nil { return try await done(job, cursor, until, counts) }
    if cursor.group == nil {
      // There is more than a page, so types without effect are left out from here on.
      (cursor.group, cursor.after) = (0, nil)
    } else if let next = page.nextCursor {
      cursor.after = next
    } else if let group = cursor.group, group + 1 < EventTable.syncCalls.count {
      (cursor.group, cursor.after) = (group + 1, nil)
    } else {
      return try await done(job, cursor, until, counts)
    }
    return .more(cursor: try JSONCoding.encode(cursor), counts: counts)
  }

  static let notPermitted =
    "Stripe does not let the app read events: lost webhooks cannot be found. Grant it the permission event_read; "
    + "until then run a backfill after an outage."

  // MARK: Begin

  private func begin(_ job: Job) async throws -> Cursor {
    let now = Date()
    let floor = now.addingTimeInterval(-Self.reach)
    let state = try await database.transaction(for: job.tenant) { transaction in
      try await EventSyncStore(tenant: job.tenant, transaction: transaction).state()
    }
    // The overlap does not reach back before the first installation.
    let from = max(
      (state?.readUpTo ?? now).addingTimeInterval(-Self.overlap), state?.knownSince ?? .distantPast)
    guard from < floor else { return Cursor(since: Int64(from.timeIntervalSince1970.rounded(.down))) }
    return Cursor(
      since: Int64(floor.timeIntervalSince1970.rounded(.up)), gapSince: Int64(from.timeIntervalSince1970.rounded(.down))
    )
  }

  private func page(_ cursor: Cursor, _ tenant: Tenant) async throws -> StripePage {
    let types = cursor.group.map { EventTable.syncCalls[min($0, EventTable.syncCalls.count - 1)] } ?? []
    let since = Date(timeIntervalSince1970: TimeInterval(cursor.since))
    let calls = StripeCalls(stripe: stripe, tenant: tenant)
    do {
      return try await calls.run {
        try await $0.events(types: types, createdSince: since, cursor: cursor.after, limit: pageSize)
      }
    } catch let error as StripeError where error.retry == .notFound && cursor.after != nil {
      // The event at which reading stopped is older than Stripe's 30 days by now, and so is everything behind it.
      return StripePage(items: [], nextCursor: nil, fetchedAt: Date())
    }
  }

  // MARK: Take in

  /// Puts the events of a page that are missing into the inbox, and reopens those that failed. If an interrupted attempt of
  /// this job already inserted an event of the page, it counts again, so that the job's count is right.
  /// - Parameter moment: later events are left to their webhooks; nil takes all.
  private func takeIn(
    _ page: StripePage, _ name: String, _ job: Job, before moment: Int64?
  ) async throws -> [String: Int] {
    let tenant = job.tenant
    let events = page.items.compactMap { ListedEvent($0, of: tenant) }.filter { event in
      EventTable.learning(event.type) != nil && moment.map { event.created.timeIntervalSince1970 <= Double($0) } ?? true
    }
    guard !events.isEmpty else { return [:] }
    let outcomes = try await database.transaction(for: tenant) { transaction in
      try await JobStore(tenant: tenant, transaction: transaction).requireRunning(job.id)
      let report = JobReport(tenant: tenant, job: job.id, transaction: transaction)
      let before = try await report.entries(events.map(\.id.rawValue))
        .filter { $0.value.detail["page"]?.string == name }.mapValues(\.outcome)
      let isNew = try await Self.insert(events, tenant, transaction)
      let fresh = events.compactMap { event in
        isNew[event.id.rawValue].map { (event: event, outcome: $0 ? "found" : "reopened") }
      }
      try await report.add(
        fresh.map {
          .init(
            stripeID: $0.event.id.rawValue, outcome: $0.outcome,
            detail: [
              "type": .string($0.event.type.rawValue), "created": .string(RFC3339.string(from: $0.event.created)),
              "page": .string(name),
            ])
        })
      let found = fresh.count { $0.outcome == "found" }
      try await EventSyncStore(tenant: tenant, transaction: transaction).count(found: found)
      return (
        all: before.merging(fresh.map { ($0.event.id.rawValue, $0.outcome) }) { $1 }, found: found, any: !fresh.isEmpty
      )
    }
    if outcomes.found > 0 { found.increment(by: Int64(outcomes.found)) }
    if outcomes.any { wakeUp.signal() }
    return [
      "events": events.count, "found": outcomes.all.count { $0.value == "found" },
      "reopened": outcomes.all.count { $0.value == "reopened" },
    ]
  }

  /// - Returns: the events that were inserted (true) or opened again (false).
  private static func insert(
    _ events: [ListedEvent], _ tenant: Tenant, _ transaction: PostgresTransaction
  ) async throws -> [String: Bool] {
    let unique = Dictionary(events.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first }).values
      // In the order that the receiver uses, so that the two never wait for each other.
      .sorted { $0.id.rawValue < $1.id.rawValue }
    let rows = try await transaction.query(
      """
      INSERT INTO stripe_integration.inbox AS i (account_id, livemode, event_id, type, created, body)
      SELECT \(tenant.account)::text, \(tenant.livemode)::boolean, event_id, type, created, body
        FROM unnest(\(unique.map(\.id.rawValue))::text[], \(unique.map(\.type.rawValue))::text[],
                    \(unique.map(\.created))::timestamptz[], \(unique.map(\.body))::text[])
             AS e (event_id, type, created, body)
       ORDER BY event_id COLLATE "C"
          ON CONFLICT (account_id, livemode, event_id) DO UPDATE
         SET state   = 'new',
             body    = CASE WHEN i.is_thin THEN excluded.body ELSE i.body END,
             is_thin = false
       WHERE i.state = 'failed'
      RETURNING event_id, xmax = 0 AS is_new
      """)
    var isNew: [String: Bool] = [:]
    for row in rows { isNew[try row.get("event_id")] = try row.get("is_new", as: Bool.self) }
    return isNew
  }

  // MARK: End

  private func done(
    _ job: Job, _ cursor: Cursor, _ until: Int64, _ counts: [String: Int]
  ) async throws -> JobStep {
    try await database.transaction(for: job.tenant) { transaction in
      if let gap = cursor.gapSince { try await catchUp(gap: gap, before: cursor.since, job.tenant, transaction) }
      try await EventSyncStore(tenant: job.tenant, transaction: transaction)
        .finish(readUpTo: Date(timeIntervalSince1970: TimeInterval(until)))
    }
    let total = job.progress["found"] + (counts["found"] ?? 0)
    if total > 0 {
      logger.warning(
        "event sync found events that no webhook delivered: check the webhook endpoint",
        metadata: ["tenant": "\(job.tenant)", "count": "\(total)"])
    }
    return .done(counts: counts)
  }

  /// Starts a backfill for a time that Stripe no longer lists events of. The account was connected before that time, so the
  /// vendor has already decided that its sales are licensed.
  private func catchUp(
    gap: Int64, before end: Int64, _ tenant: Tenant, _ transaction: PostgresTransaction
  ) async throws {
    let from = Date(timeIntervalSince1970: TimeInterval(gap))
    let to = Date(timeIntervalSince1970: TimeInterval(max(gap, end)))
    try await EventSyncStore(tenant: tenant, transaction: transaction).note(gap: from...to)
    let choice = BackfillChoice(
      subscriptions: .active, paidSessionsSince: from, paidInvoices: true, subscriptionsSince: from)
    do {
      try await JobStore(tenant: tenant, transaction: transaction).create(
        .backfill, subject: "gap", parameters: choice.parameters, counting: BackfillOutcome.counts,
        by: EventSyncSchedule.actor)
    } catch is JobStore.AlreadyOpen {
      return
    }
    logger.warning(
      "Stripe no longer lists the events of a gap: a backfill of that time begins",
      metadata: ["tenant": "\(tenant)", "since": "\(RFC3339.string(from: from))"])
  }
}
