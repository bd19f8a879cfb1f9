package import Foundation
import Identity
import JSON
import Postgres
package import Purchases
import Queue
package import StripeAPI
import Tenancy

/// The commands that an operator runs from the command line. Each prints what happened, and its exit code says whether all is
/// well. They work on the database directly, beside a running service.
package struct OperatorTools: Sendable {
  let database: TenantDatabase
  let stripe: any StripeAccess
  let router: EventRouter
  let reconciler: Reconciler
  let clock: @Sendable () -> Date

  /// How a tool ended, for the program's exit code.
  package enum Outcome: Int32, Sendable {
    case done = 0
    /// Something waits for a person, or was not found.
    case needsAttention = 1
    /// The tenant is blocked: nothing could be done for it.
    case blocked = 2
  }

  /// What to replay: one purchase or event, or those of a filter.
  package struct ReplayRequest: Sendable {
    /// Any id of a purchase, or of an event.
    package var id: String?
    /// Purchases in this state.
    package var status: PurchaseStatus?
    /// Purchases whose reason contains this.
    package var reason: String?
    /// Events in this state: `failed`, `waiting`, `ignored`, `done`.
    package var eventState: String?
    /// Events of this type.
    package var eventType: String?
    package var from: Date?
    package var to: Date?
    /// Only reports what would be replayed.
    package var isDry = false

    package init() {}

    fileprivate var subject: ReplaySubject? {
      if eventState != nil || eventType != nil {
        let state = eventState.flatMap(InboxReader.State.init(rawValue:))
        return .events(EventFilter(state: state, type: eventType, from: from, to: to))
      }
      if let id {
        return id.hasPrefix("evt_") ? nil : .fulfillments(PurchaseFilter(object: id))
      }
      guard status != nil || reason != nil || from != nil || to != nil else { return nil }
      return .fulfillments(PurchaseFilter(status: status, reasonContains: reason, createdFrom: from, createdTo: to))
    }

    /// What is wrong with the request, in words for the command line; nil if it can be done.
    package var problem: String? {
      if let eventState, InboxReader.State(rawValue: eventState) == nil {
        return "'\(eventState)' is no state of an event; expected one of "
          + InboxReader.State.allCases.map(\.rawValue).joined(separator: ", ")
      }
      let isEvent = id?.hasPrefix("evt_") ?? false
      return subject == nil && !isEvent ? "give one purchase or event, or an option that narrows the replay" : nil
    }
  }

  // MARK: Explain

  /// Answers "why is there (no) license for this?" on a terminal.
  package func explain(
    _ id: String, of tenant: Tenant, print: @Sendable (String) -> Void
  ) async throws -> Outcome {
    let explanation = try await Explainer(
      database: database, stripe: stripe, clock: clock, tenant: tenant, isOperator: true
    ).explain(id)
    print(explanation.text)
    switch explanation.verdict.code {
    case .licensed, .mapped, .several, .suspended, .ended, .sellsNothing, .waitingPayment, .eventIgnored: return .done
    case .blocked, .notConnected, .outage: return .blocked
    default: return .needsAttention
    }
  }

  // MARK: Buyers

  /// Prints everything that is stored about a buyer, as JSON.
  package func exportBuyer(
    _ id: String, of tenant: Tenant, print: @Sendable (String) -> Void
  ) async throws -> Outcome {
    let export = try await BuyerRequests(database: database, licenseKit: reconciler.licenseKit)
      .export(id, of: tenant) { Self.entry("buyer.export", $0) }
    guard let export else {
      print("Nothing is known about \(id).")
      return .needsAttention
    }
    print(try JSONCoding.encode(export).text())
    return .done
  }

  /// Removes a buyer's name and addresses.
  package func eraseBuyer(
    _ id: String, of tenant: Tenant, print: @Sendable (String) -> Void
  ) async throws -> Outcome {
    let erasure = try await BuyerRequests(database: database, licenseKit: reconciler.licenseKit)
      .erase(id, of: tenant) { Self.entry("buyer.erase", $0) }
    guard let erasure else {
      print("Nothing is known about \(id).")
      return .needsAttention
    }
    print(
      "Erased: name and addresses in \(erasure.fulfillments.count) fulfillments and \(erasure.customers.count) "
        + "customers at LicenseKit.")
    return .done
  }

  private static func entry(_ action: String, _ target: String) -> AuditLog.Entry {
    AuditLog.Entry(actor: "operator (command line)", action: action, target: target, requestID: nil, detail: nil)
  }

  // MARK: Replay

  /// Has purchases looked at, or events routed, again. A running service does the work.
  package func replay(
    _ request: ReplayRequest, of tenant: Tenant, print: @Sendable (String) -> Void
  ) async throws -> Outcome {
    if let id = request.id, id.hasPrefix("evt_") { return try await replayEvent(id, request.isDry, tenant, print) }
    guard let subject = request.subject else { return .needsAttention }
    let replay = Replay(database: database, tenant: tenant)
    let matched = try await replay.count(subject)
    if matched == 0 {
      print("Nothing matches.")
      return .needsAttention
    }
    let page = try await replay.page(subject, after: nil, limit: 50)
    for item in page.items { print("\(item.id)\t\(item.status)\t\(item.about)\(item.reason.map { "\t\($0)" } ?? "")") }
    if matched > page.items.count { print("… and \(matched - page.items.count) more") }
    if request.isDry {
      print("\(matched) \(subject.name) would be replayed.")
      return .done
    }
    let count = try await replay.replayAll(subject, by: "operator (command line)")
    try await database.transaction(for: tenant) { transaction in
      try await AuditLog(tenant: tenant, transaction: transaction).add(
        AuditLog.Entry(
          actor: "operator (command line)", action: "\(subject.name).replay", target: subject.name, requestID: nil,
          detail: "\(count)"))
    }
    print("\(count) \(subject.name) are replayed. A running service processes them; 'reconcile' does so here.")
    return .done
  }

  private func replayEvent(
    _ id: String, _ isDry: Bool, _ tenant: Tenant, _ print: @Sendable (String) -> Void
  ) async throws -> Outcome {
    let row = try await database.transaction(for: tenant) { transaction in
      let reader = InboxReader(tenant: tenant, transaction: transaction)
      return isDry ? try await reader.event(id) : try await reader.reopen(id)
    }
    guard let row else {
      print("There is no event \(id) of \(tenant).")
      return .needsAttention
    }
    print("\(id) (\(row.view.type)) \(isDry ? "would be" : "is") routed again.")
    return .done
  }

  // MARK: Reconcile

  /// Routes the events of a tenant and reconciles its purchases, or one of them, in this process until nothing is due.
  /// - Parameter all: whether to look at all purchases, even if nothing is known to be due.
  package func reconcile(
    _ tenant: Tenant, only id: String? = nil, all: Bool = false, print: @Sendable (String) -> Void
  ) async throws -> Outcome {
    while try await router.routeBatch(of: tenant) > 0 {}
    let blockage = try await database.transaction(for: tenant) { transaction in
      try await Blockage.of(tenant, in: transaction)
    }
    if let blockage, blockage.code != "outage" {
      print(blockage.sentence)
      return .blocked
    }
    if all, id == nil { try await requestReconcileOfAll(of: tenant) }
    var only: PurchaseID?
    if let id {
      only = try await database.transaction(for: tenant) { transaction in
        try await FulfillmentReader(tenant: tenant, transaction: transaction).purchase(of: id)
      }
      guard let only else {
        print("No purchase of \(tenant) has the id \(id).")
        return .needsAttention
      }
      try await database.transaction(for: tenant) { transaction in
        try await PurchaseIndex(tenant: tenant, transaction: transaction).requestReconcile(of: only)
      }
    }
    return try await run(tenant, only, print)
  }

  private func requestReconcileOfAll(of tenant: Tenant) async throws {
    try await database.transaction(for: tenant) { transaction in
      _ = try await transaction.query(
        """
        UPDATE stripe_integration.purchases
           SET attention_at  = LEAST(attention_at, now()),
               attention_seq = attention_seq + 1
         WHERE account_id = \(tenant.account)
           AND livemode   = \(tenant.livemode)
           AND merged_into IS NULL
        """)
      try await TenantQueue.enqueue(tenant, in: .purchases, transaction)
    }
  }

  private func run(
    _ tenant: Tenant, _ only: PurchaseID?, _ print: @Sendable (String) -> Void
  ) async throws -> Outcome {
    var outcome = Outcome.done
    // A purchase becomes due again at once if others go before its write-back.
    var looks: [PurchaseID: Int] = [:]
    while true {
      let over = looks.filter { $0.value >= Self.mostLooks }.map(\.key)
      let due = try await self.due(tenant, only, besides: over)
      if due.isEmpty { break }
      for purchase in due {
        looks[purchase, default: 0] += 1
        let last = try await lastEntry(of: purchase, tenant)
        do {
          if let outage = try await reconciler.reconcile(purchase, of: tenant) {
            print(outage.sentence)
            return .blocked
          }
        } catch let unavailable as TenantUnavailable {
          print(Blockage(unavailable).sentence)
          return .blocked
        }
        if try await !tell(purchase, tenant, after: last, print) { outcome = .needsAttention }
      }
    }
    print(looks.isEmpty ? "Nothing is due." : "\(looks.count) looked at.")
    return outcome
  }

  private static let mostLooks = 3

  private func due(
    _ tenant: Tenant, _ only: PurchaseID?, besides over: [PurchaseID]
  ) async throws -> [PurchaseID] {
    try await database.transaction(for: tenant) { transaction in
      try await transaction.query(
        """
        SELECT purchase_id
          FROM stripe_integration.purchases
         WHERE account_id    = \(tenant.account)
           AND livemode      = \(tenant.livemode)
           AND attention_at <= now()
           AND lease_until  <= now()
           AND merged_into IS NULL
           AND purchase_id <> ALL(\(over.map(\.rawValue)))
           AND (\(only)::text IS NULL OR purchase_id = \(only)::text)
         ORDER BY attention_at
         LIMIT 100
        """
      ).map { row in try row.get("purchase_id") }
    }
  }

  private func lastEntry(of purchase: PurchaseID, _ tenant: Tenant) async throws -> Int64 {
    try await database.transaction(for: tenant) { transaction in
      try await transaction.query(
        """
        SELECT COALESCE(max(entry_id), 0) AS last
          FROM stripe_integration.timeline
         WHERE account_id  = \(tenant.account)
           AND livemode    = \(tenant.livemode)
           AND purchase_id = \(purchase)
        """
      ).first?.get("last") ?? 0
    }
  }

  /// Prints what happened to a purchase.
  /// - Returns: whether it is in order.
  private func tell(
    _ purchase: PurchaseID, _ tenant: Tenant, after last: Int64, _ print: @Sendable (String) -> Void
  ) async throws -> Bool {
    let (row, entries) = try await database.transaction(for: tenant) { transaction in
      (
        try await FulfillmentReader(tenant: tenant, transaction: transaction).row(purchase),
        try await transaction.query(
          """
          SELECT title, state, detail
            FROM stripe_integration.timeline
           WHERE account_id  = \(tenant.account)
             AND livemode    = \(tenant.livemode)
             AND purchase_id = \(purchase)
             AND entry_id    > \(last)
           ORDER BY entry_id
           LIMIT 200
          """
        ).map { row in
          [
            try row.get("title", as: String?.self), try row.get("state", as: String?.self),
            try row.get("detail", as: String?.self),
          ].compactMap { $0 }.joined(separator: "  ")
        }
      )
    }
    guard let row else { return true }
    print("\(row.id)  \(row.stripeID)  \(row.status)\(row.reason.map { ": \($0)" } ?? "")")
    for entry in entries { print("    \(entry)") }
    return row.status != PurchaseStatus.failed.rawValue && row.status != PurchaseStatus.pending.rawValue
  }
}
