import Foundation
import Identity
import Logging
import Postgres
import Purchases
import ServerKit
import StripeAPI
import Tenancy

/// Turns stored events into facts and makes reconcile requests for the purchases they concern. Each batch is one transaction:
/// the transaction that has an event's effect also marks the event as handled.
struct EventRouter: Sendable {
  let database: TenantDatabase
  let application: any ApplicationEventHandling
  let alerts: any AlertHandling
  let recent: RecentEvents
  let logger: Logger
  var caution = Caution.none

  static let batchSize = 50
  /// How many tenants one look finds at most.
  static let tenantsPerRound = 200

  /// Tenants with events that wait to be routed, in the order of their ids. The cost depends on their number, not on that of
  /// all tenants: the query skips through the index of open rows from tenant to tenant.
  /// - Parameter last: begins after this tenant, so that each gets its turn if there are more than `limit`.
  func tenantsWithWork(after last: Tenant? = nil, limit: Int = tenantsPerRound) async throws -> [Tenant] {
    try await database.transaction(as: .worker) { transaction in
      try await transaction.query(
        """
        WITH RECURSIVE tenants AS (
          (SELECT account_id, livemode
             FROM stripe_integration.inbox
            WHERE state = 'new'
              AND (account_id, livemode) > (\(last?.account.rawValue ?? "")::text, \(last?.livemode ?? false)::boolean)
            ORDER BY account_id, livemode
            LIMIT 1)
          UNION ALL
          SELECT n.account_id, n.livemode
            FROM tenants t
           CROSS JOIN LATERAL (
                 SELECT i.account_id, i.livemode
                   FROM stripe_integration.inbox i
                  WHERE i.state = 'new'
                    AND (i.account_id, i.livemode) > (t.account_id, t.livemode)
                  ORDER BY i.account_id, i.livemode
                  LIMIT 1) n
        )
        SELECT account_id, livemode FROM tenants LIMIT \(limit)
        """
      ).map { row in Tenant(account: try row.get("account_id"), livemode: try row.get("livemode")) }
    }
  }

  /// Routes the oldest open events of one tenant.
  ///
  /// An event whose content the database refuses (a text with NUL, for example) would undo the batch forever, and every later
  /// event of its tenant would wait. So such a batch is routed once more with each event separate, and an event that is
  /// refused then is marked as failed.
  /// - Returns: how many were taken.
  func routeBatch(of tenant: Tenant) async throws -> Int {
    if caution.isOn() { return try await routeCautiously(of: tenant) }
    do {
      let (count, isAnyBegun) = try await routeBatch(of: tenant, eachApart: false)
      return try await count > 0 && !isAnyBegun ? count : count + routeCautiously(of: tenant)
    } catch let error as PostgresError where error.refusesContent {
      return try await routeBatch(of: tenant, eachApart: true).count
    }
  }

  /// - Returns: how many were taken, and whether events are left that must be routed one by one because they were begun
  ///   before.
  private func routeBatch(of tenant: Tenant, eachApart: Bool) async throws -> (count: Int, isAnyBegun: Bool) {
    try await database.transaction(for: tenant) { transaction in
      let index = PurchaseIndex(tenant: tenant, transaction: transaction)
      try await TenantLock.take(index.tenant, in: index.transaction)
      let rows = try await transaction.query(
        """
        SELECT event_id, body, environment,
               EXISTS (SELECT FROM stripe_integration.inbox
                        WHERE account_id = \(tenant.account)
                          AND livemode   = \(tenant.livemode)
                          AND state      = 'new'
                          AND begun      > 0) AS is_any_begun
          FROM stripe_integration.inbox
         WHERE account_id = \(tenant.account)
           AND livemode   = \(tenant.livemode)
           AND state      = 'new'
           AND begun      = 0
         ORDER BY received_at
         LIMIT \(Self.batchSize)
           FOR UPDATE SKIP LOCKED
        """)
      let isAnyBegun = try rows.first?.get("is_any_begun", as: Bool.self) ?? false
      return (try await route(rows, of: tenant, index, eachApart: eachApart), isAnyBegun)
    }
  }

  /// Routes the open events one by one, and records each in a transaction of its own before it is begun. An event that
  /// processes crashed over is set aside.
  private func routeCautiously(of tenant: Tenant) async throws -> Int {
    var routed = 0
    while routed < Self.batchSize, !Task.isCancelled, try await routeOneCautiously(of: tenant) { routed += 1 }
    return routed
  }

  /// An event that was begun is finished even if the service is stopping, and released if it fails. Otherwise it would wait
  /// as if the process had crashed over it.
  /// - Returns: whether there was an event.
  private func routeOneCautiously(of tenant: Tenant) async throws -> Bool {
    try await uncancelled {
      guard let (id, begun) = try await beginOne(of: tenant) else { return false }
      do {
        try await routeBegun(id, times: begun, of: tenant)
      } catch {
        await giveBack(id, of: tenant)
        throw error
      }
      return true
    }
  }

  private func routeBegun(_ id: String, times begun: Int, of tenant: Tenant) async throws {
    try await database.transaction(for: tenant) { transaction in
      let index = PurchaseIndex(tenant: tenant, transaction: transaction)
      try await TenantLock.take(index.tenant, in: index.transaction)
      let rows = try await transaction.query(
        """
        SELECT event_id, body, environment
          FROM stripe_integration.inbox
         WHERE account_id = \(tenant.account)
           AND livemode   = \(tenant.livemode)
           AND event_id   = \(id)
           AND state      = 'new'
           FOR UPDATE
        """)
      guard begun > Caution.mostEnds, !rows.isEmpty else {
        _ = try await route(rows, of: tenant, index, eachApart: true)
        return
      }
      await recent.invalidate(tenant)
      try await end(id, Outcome(.failed, Caution.reasonOfEvent), of: tenant, in: transaction)
      logger.error("event set aside", metadata: ["tenant": "\(tenant)", "event": "\(id)"])
    }
  }

  /// If this fails too, the event waits as if the process had crashed over it.
  private func giveBack(_ id: String, of tenant: Tenant) async {
    do {
      try await database.transaction(for: tenant, attempts: 3) { transaction in
        _ = try await transaction.query(
          """
          UPDATE stripe_integration.inbox
             SET begun    = begun - 1,
                 begun_at = NULL
           WHERE account_id = \(tenant.account)
             AND livemode   = \(tenant.livemode)
             AND event_id   = \(id)
             AND state      = 'new'
             AND begun      > 0
          """)
      }
    } catch {
      logger.warning("event not given back", metadata: ["tenant": "\(tenant)", "event": "\(id)", "error": "\(error)"])
    }
  }

  /// Records that an event is begun. An event that another process has just begun is left to that process. If no caution is
  /// needed, one that nobody has begun is left to the batch.
  /// - Returns: how many times the event was begun, including this time.
  private func beginOne(of tenant: Tenant) async throws -> (id: String, begun: Int)? {
    try await database.transaction(for: tenant) { transaction in
      try await transaction.query(
        """
        WITH next AS (
          SELECT event_id
            FROM stripe_integration.inbox
           WHERE account_id = \(tenant.account)
             AND livemode   = \(tenant.livemode)
             AND state      = 'new'
             AND (begun_at IS NULL OR begun_at <= now() - \(Caution.longestEvent)::text::interval)
             AND (begun > 0 OR \(caution.isOn())::boolean)
           ORDER BY received_at
           LIMIT 1
             FOR UPDATE SKIP LOCKED
        )
        UPDATE stripe_integration.inbox i
           SET begun    = i.begun + 1,
               begun_at = now()
          FROM next n
         WHERE i.account_id = \(tenant.account)
           AND i.livemode   = \(tenant.livemode)
           AND i.event_id   = n.event_id
        RETURNING i.event_id, i.begun
        """
      ).first.map { row in (try row.get("event_id"), try row.get("begun", as: Int.self)) }
    }
  }

  private func route(
    _ rows: PostgresRows, of tenant: Tenant, _ index: PurchaseIndex, eachApart: Bool
  ) async throws -> Int {
    let transaction = index.transaction
    guard !rows.isEmpty else { return 0 }
    var connection = try await ConnectionState.read(of: tenant, in: transaction)
    let settings = try await SettingsStore(tenant: tenant, transaction: transaction).load()
    var toFetch: [String] = []
    for row in rows {
      let id: String = try row.get("event_id")
      let environment: String? = try row.get("environment")
      let delivery = Delivery(
        body: try row.get("body"), signedFor: environment.flatMap(StripeEnvironment.init(rawValue:)))
      let outcome: Outcome
      if eachApart {
        outcome = try await routeApart(delivery, settings, tenant, index, &connection)
      } else {
        outcome = try await route(delivery, settings, tenant, index, &connection)
      }
      try await end(id, outcome, of: tenant, in: transaction)
      if outcome.state == .ignored, let environment = delivery.signedFor,
        connection.refusal(of: environment, undoing: true) != nil
      {
        try await free(id, of: environment, tenant, in: transaction)
      }
      if outcome.isToFetch { toFetch.append(id) }
    }
    try await ThinEventQueue(tenant: tenant, transaction: transaction).ask(toFetch)
    return rows.count
  }

  /// Stores an event that was refused for its signature under an id that contains its environment, as the receiver does if an
  /// id is taken. Anybody may have made the copy: the event with this id is still to come, or event sync finds it.
  private func free(
    _ id: String, of environment: StripeEnvironment, _ tenant: Tenant, in transaction: PostgresTransaction
  ) async throws {
    guard !id.hasSuffix(InboxItem.suffix(of: environment)) else { return }
    let aside = id + InboxItem.suffix(of: environment)
    try await transaction.query(
      """
      DELETE FROM stripe_integration.inbox
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
         AND event_id   = \(aside)
      """)
    try await transaction.query(
      """
      UPDATE stripe_integration.inbox
         SET event_id = \(aside)
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
         AND event_id   = \(id)
      """)
  }

  private func end(
    _ id: String, _ outcome: Outcome, of tenant: Tenant, in transaction: PostgresTransaction
  ) async throws {
    try await transaction.query(
      """
      UPDATE stripe_integration.inbox
         SET state      = \(outcome.state.rawValue),
             outcome    = \(outcome.text),
             attempts   = attempts + 1,
             begun      = 0,
             begun_at   = NULL,
             fetch_at   = NULL,
             handled_at = now()
       WHERE account_id = \(tenant.account)
         AND livemode   = \(tenant.livemode)
         AND event_id   = \(id)
      """)
  }

  /// Routes one event so that a failure undoes only this event's changes.
  private func routeApart(
    _ delivery: Delivery, _ settings: TenantSettings, _ tenant: Tenant, _ index: PurchaseIndex,
    _ connection: inout ConnectionState
  ) async throws -> Outcome {
    do {
      let before = connection
      let (outcome, after) = try await index.transaction.savepoint { _ in
        var connection = before
        let outcome = try await route(delivery, settings, tenant, index, &connection)
        return (outcome, connection)
      }
      connection = after
      return outcome
    } catch let error as PostgresError where error.refusesContent {
      await recent.invalidate(tenant)
      logger.warning("event cannot be stored", metadata: ["tenant": "\(tenant)", "error": "\(error)"])
      return Outcome(.failed, "The event's content cannot be stored: \(error.codeName).")
    }
  }

  private struct Outcome {
    let state: State
    let text: String?
    /// Whether its object must be asked for.
    let isToFetch: Bool

    init(_ state: State, _ text: String?, isToFetch: Bool = false) {
      self.state = state
      self.text = text
      self.isToFetch = isToFetch
    }
  }

  private enum State: String { case waiting, done, ignored, failed }

  /// An event in the inbox.
  private struct Delivery: Sendable {
    let body: String
    /// The only environment that its signature vouches for; nil if it vouches for all of its mode.
    let signedFor: StripeEnvironment?
  }

  private func route(
    _ delivery: Delivery, _ settings: TenantSettings, _ tenant: Tenant, _ index: PurchaseIndex,
    _ connection: inout ConnectionState
  ) async throws -> Outcome {
    if let refusal = connection.refusal(of: delivery.signedFor) { return Outcome(.ignored, refusal) }
    let delivered: DeliveredEvent
    do { delivered = try DeliveredEvent(parsing: Array(delivery.body.utf8)) } catch {
      return await unreadable(error, tenant)
    }
    switch delivered {
    case .thin(let event): return try await route(event, delivery.signedFor, tenant, index, &connection)
    case .snapshot(let event): return try await route(event, delivery.signedFor, settings, tenant, index, &connection)
    }
  }

  private func unreadable(_ error: any Error, _ tenant: Tenant) async -> Outcome {
    await recent.invalidate(tenant)
    logger.warning("event cannot be read", metadata: ["tenant": "\(tenant)", "error": "\(error)"])
    return Outcome(.failed, "The event cannot be read: \(error)")
  }

  private func route(
    _ event: StripeEvent, _ signedFor: StripeEnvironment?, _ settings: TenantSettings, _ tenant: Tenant,
    _ index: PurchaseIndex, _ connection: inout ConnectionState
  ) async throws -> Outcome {
    let effect: EventEffect
    do { effect = try EventTable.effect(of: event, settings: settings) } catch {
      return await unreadable(error, tenant)
    }
    switch effect {
    case .application(let change):
      return try await handle(change, at: event.created, signedFor, tenant, index, &connection)
    case .ignore(let reason):
      return Outcome(.ignored, reason)
    case .learn(let snapshot, let request):
      guard connection.isConnected else { return Outcome(.waiting, "Waits until the account is connected.") }
      return try await learn(snapshot, request, event, index)
    }
  }

  private func handle(
    _ change: EventEffect.Application, at moment: Date, _ signedFor: StripeEnvironment?, _ tenant: Tenant,
    _ index: PurchaseIndex, _ connection: inout ConnectionState
  ) async throws -> Outcome {
    if let refusal = connection.refusal(of: signedFor, undoing: change.endsInstallation) {
      return Outcome(.ignored, refusal)
    }
    let outcome = try await application.handle(
      change, at: moment, signedFor: signedFor, of: tenant, in: index.transaction)
    connection = try await .read(of: tenant, in: index.transaction)
    switch outcome {
    case .taken(let text): return Outcome(.done, text)
    case .notOurs(let reason): return Outcome(.ignored, reason)
    }
  }

  /// A thin event has no object. A claim of its tenant's queue asks for the object, and then it is routed like all others.
  private func route(
    _ event: ThinEvent, _ signedFor: StripeEnvironment?, _ tenant: Tenant, _ index: PurchaseIndex,
    _ connection: inout ConnectionState
  ) async throws -> Outcome {
    switch EventTable.effect(of: event) {
    case .application(let change):
      return try await handle(change, at: event.created, signedFor, tenant, index, &connection)
    case .readInstalls:
      try await InstallListStore.ask([connection.environment], in: index.transaction)
      return Outcome(.done, "The list of installations is read soon.")
    case .eventSync:
      guard connection.isConnected else {
        return Outcome(.ignored, "The account is not connected: its events are read when it is.")
      }
      try await alerts.raised(tenant, in: index.transaction)
      return Outcome(.done, "Stripe could not make events: its list of events is read.")
    case .ignore(let reason):
      return Outcome(.ignored, reason)
    case .fetch:
      guard connection.isConnected else { return Outcome(.waiting, "Waits until the account is connected.") }
      return Outcome(.waiting, ThinEventQueue.outcome, isToFetch: true)
    }
  }

  private func learn(
    _ snapshot: Snapshot, _ request: EventEffect.ReconcileRequest, _ event: StripeEvent, _ index: PurchaseIndex
  ) async throws -> Outcome {
    let fact = Fact(snapshot, asOf: event.created, source: .event)
    let isNews = try await FactStore(tenant: index.tenant, transaction: index.transaction).learn(fact)
    if case .customer(let customer) = snapshot, customer.isDeleted {
      let records = BuyerRecords(tenant: index.tenant, transaction: index.transaction)
      if let buyer = try await records.buyer(customer.id) { try await records.erase(buyer, withEvents: false) }
      return Outcome(.done, "Stored, and the name and addresses of the buyer were erased.")
    }
    if request == .none { return Outcome(.done, "Remembered.") }
    if request == .buyer { return try await look(atNewestOf: snapshot.customer, index) }
    if !snapshot.shares.isEmpty { return try await share(snapshot, request, event, index, isNews: isNews) }
    let newest = try await newestInvoice(of: snapshot, index)
    guard
      let purchase = try await index.purchase(
        of: snapshot.aliases + (newest?.aliases ?? []), creating: request == .always)
    else {
      return Outcome(.done, "Stored; it belongs to no known purchase.")
    }
    let timeline = Timeline(tenant: index.tenant, purchase: purchase, transaction: index.transaction)
    try await timeline.add(
      .event, EventSummary.title(event, snapshot), detail: EventSummary.detail(snapshot, isNews: isNews))
    if let note = EventNote(on: event, snapshot) { try await timeline.add(.note, note.title, detail: note.detail) }
    if let note = EventNote(onManaged: event, snapshot),
      try await FactStore(tenant: index.tenant, transaction: index.transaction).knowledge(of: purchase).isManaged
    {
      try await timeline.add(.note, note.title, detail: note.detail)
    }
    try await index.requestReconcile(of: purchase)
    return Outcome(.done, "Purchase \(purchase)")
  }

  /// The newest invoice of a subscription, if the invoice's event came before the subscription's.
  private func newestInvoice(of snapshot: Snapshot, _ index: PurchaseIndex) async throws -> Snapshot? {
    guard case .subscription(let subscription) = snapshot, let invoice = subscription.latestInvoice else { return nil }
    return try await FactStore(tenant: index.tenant, transaction: index.transaction).fact(FactKey(invoice))?.snapshot
  }

  /// An invoice that bills several subscriptions concerns the purchase of each and that of its payment, and does not merge
  /// them. The payment's purchase begins only when something is told of the payment.
  private func share(
    _ invoice: Snapshot, _ request: EventEffect.ReconcileRequest, _ event: StripeEvent, _ index: PurchaseIndex,
    isNews: Bool
  ) async throws -> Outcome {
    var purchases: [String] = []
    for share in invoice.shares {
      try await FactStore(tenant: index.tenant, transaction: index.transaction)
        .learn(Fact(share, asOf: event.created, source: .event))
    }
    let concerned = invoice.shares.map { ($0.aliases, request == .always) } + [(invoice.paymentAliases, false)]
    for (aliases, isCreating) in concerned {
      guard let purchase = try await index.purchase(of: aliases, creating: isCreating) else { continue }
      let timeline = Timeline(tenant: index.tenant, purchase: purchase, transaction: index.transaction)
      try await timeline.add(
        .event, EventSummary.title(event, invoice), detail: EventSummary.detail(invoice, isNews: isNews))
      if let note = EventNote(on: event, invoice) { try await timeline.add(.note, note.title, detail: note.detail) }
      try await index.requestReconcile(of: purchase)
      purchases.append(purchase.rawValue)
    }
    return Outcome(
      .done,
      purchases.isEmpty
        ? "Stored; it belongs to no known purchase." : "Purchases \(purchases.joined(separator: ", "))")
  }

  /// A buyer's record is shared by all of the buyer's purchases, so a look at one of them brings it up to date.
  private func look(atNewestOf customer: Stripe.CustomerID?, _ index: PurchaseIndex) async throws -> Outcome {
    let purchase = try await index.transaction.query(
      """
      SELECT purchase_id
        FROM stripe_integration.purchases
       WHERE account_id  = \(index.tenant.account)
         AND livemode    = \(index.tenant.livemode)
         AND customer_id = \(customer)
         AND merged_into IS NULL
       ORDER BY created_at DESC, purchase_id DESC
       LIMIT 1
      """
    ).first?.get("purchase_id", as: PurchaseID.self)
    guard let purchase else { return Outcome(.done, "Stored; nothing was sold to this customer.") }
    try await index.requestReconcile(of: purchase)
    return Outcome(.done, "Purchase \(purchase)")
  }
}
