import Foundation
import Identity
import JSON
import Postgres
import Purchases
import StripeAPI
import StripeHTTP
import Tenancy

/// One page of a backfill.
struct BackfillPiece {
  let work: BackfillWork
  let job: Job
  let choice: BackfillChoice

  private var tenant: Tenant { job.tenant }
  private var database: TenantDatabase { work.database }
  private var calls: StripeCalls { StripeCalls(stripe: work.stripe, tenant: tenant) }

  func page(_ cursor: BackfillWork.Cursor) async throws -> StripePage {
    let (since, after, limit) = (choice.paidSessionsSince, cursor.after, BackfillWork.pageSize)
    do {
      return try await calls.run { session in
        switch cursor.phase {
        case .subscriptions: try await session.subscriptions(cursor: after, limit: limit)
        case .sessions: try await session.completedCheckoutSessions(createdSince: since, cursor: after, limit: limit)
        case .invoices: try await session.paidInvoices(createdSince: since, cursor: after, limit: limit)
        }
      }
    } catch let error as StripeError where error.retry == .notFound {
      throw JobFailure(
        reason:
          "Stripe no longer knows \(after ?? "the list"), where reading stopped. Start the backfill again.")
    }
  }

  /// What is counted for an object, besides its outcome.
  private struct Entry {
    var outcome: BackfillOutcome
    var detail: JSONObject
  }

  /// Looks at each object of a page. If an earlier attempt at this page was cut off, the objects that it looked at count with
  /// the outcome it found.
  func ingest(_ page: StripePage, _ phase: BackfillChoice.Phase) async throws -> [String: Int] {
    let done = try await entries(page.items.compactMap { $0["id"]?.string })
    var counts: [String: Int] = [:]
    for item in page.items {
      guard let id = item["id"]?.string else { continue }
      try Task.checkCancellation()
      let entry: Entry?
      if let before = done[id] {
        entry = before
      } else {
        entry = try await lookReadably(at: item, id, phase, listedAt: page.readNotBefore)
      }
      guard let entry else { continue }
      counts[phase.counted, default: 0] += 1
      counts[entry.outcome.rawValue, default: 0] += 1
      counts["licenses", default: 0] += Int(entry.detail["licenses"]?.integer ?? 0)
    }
    return counts
  }

  /// An object that cannot be read does not stop the others.
  private func lookReadably(
    at item: JSONValue, _ id: String, _ phase: BackfillChoice.Phase, listedAt: Date
  ) async throws -> Entry? {
    do {
      return try await look(at: item, phase, listedAt: listedAt)
    } catch let error as StripeObjectError {
      return try await note(id, .unreadable, ["reason": .string("\(error)")])
    } catch let error as StripeError where error.retry == .invalid || error.retry == .notFound {
      return try await note(id, .unreadable, ["reason": .string(error.description)])
    }
  }

  private func look(at item: JSONValue, _ phase: BackfillChoice.Phase, listedAt: Date) async throws -> Entry? {
    switch phase {
    case .subscriptions: return try await look(at: Stripe.Subscription(item), listedAt)
    case .sessions: return try await look(at: Stripe.CheckoutSession(item), listedAt)
    case .invoices: return try await look(at: Stripe.Invoice(item), listedAt)
    }
  }

  // MARK: Each kind

  private func look(at listed: Stripe.Subscription, _ listedAt: Date) async throws -> Entry? {
    var (subscription, listedAt) = (listed, listedAt)
    if !(try await isKnown(listed.id.rawValue)) {
      guard listed.status.isIngested else {
        return try await note(
          listed.id.rawValue, .nothing, ["reason": .string("The subscription is \(listed.status.rawValue).")])
      }
      if let since = choice.subscriptionsSince, listed.created < since {
        return try await note(
          listed.id.rawValue, .nothing, ["reason": "It is older than the time that the backfill covers."])
      }
    }
    if listed.hasMoreItems {
      let items = try await calls.run { try await $0.subscriptionItems(listed.id) }
      subscription = try listed.withAllItems(items.items)
      listedAt = min(listedAt, items.readNotBefore)
    }
    return try await survey(.subscription(subscription), subscription.id.rawValue, listedAt)
  }

  private func look(at session: Stripe.CheckoutSession, _ listedAt: Date) async throws -> Entry? {
    let id = session.id.rawValue
    switch session.mode {
    case .payment: break
    case .subscription: return try await link(session, listedAt)
    case .setup, .other: return nil
    }
    guard session.isPaid else { return try await note(id, .nothing, ["reason": "The session is not paid."]) }
    return try await survey(.checkoutSession(session), id, listedAt)
  }

  /// A session that began a subscription adds its ids and its buyer's address to the subscription, if that becomes a
  /// purchase.
  private func link(_ session: Stripe.CheckoutSession, _ listedAt: Date) async throws -> Entry? {
    let id = session.id.rawValue
    guard let subscription = session.subscription?.rawValue else {
      return try await note(id, .nothing, ["reason": "The session began no subscription."])
    }
    let taken = try await entries([subscription])[subscription]?.outcome.ingests ?? false
    let isKnown = try await isKnown(subscription)
    guard taken || isKnown else {
      return try await note(id, .nothing, ["reason": .string("Its subscription \(subscription) is not ingested.")])
    }
    let fact = Fact.fetched(.checkoutSession(session), answeredAt: listedAt, knowing: nil)
    return try await note(id, .linked, ["to": .string(subscription)], taking: [fact])
  }

  private func look(at invoice: Stripe.Invoice, _ listedAt: Date) async throws -> Entry? {
    // Invoices of subscriptions add nothing of their own here.
    guard invoice.subscription == nil else { return nil }
    return try await survey(.invoice(invoice), invoice.id.rawValue, listedAt, decidesKnown: true)
  }

  // MARK: Deciding and taking up

  private func survey(
    _ snapshot: Snapshot, _ id: String, _ listedAt: Date, decidesKnown: Bool = false
  ) async throws -> Entry? {
    let finding = try await BackfillSurvey(database: database, calls: calls, clock: work.clock)
      .look(at: snapshot, answeredAt: listedAt, decidesKnown: decidesKnown)
    if decidesKnown, let root = finding.decision?.root, root.stripeID != id {
      return try await note(id, .linked, ["to": .string(root.stripeID)])
    }
    if let purchase = finding.purchase {
      return try await note(id, .known, ["purchase": .string(purchase.rawValue)], taking: finding.facts)
    }
    guard let decision = finding.decision else { return nil }
    let outcome = decision.backfillOutcome
    var detail = JSONObject()
    if outcome == .licensed {
      detail["licenses"] = .integer(Int64(decision.activeUnits))
      detail["mappings"] = .array(
        Set(decision.lines.filter { !$0.units.isEmpty }.map(\.pinnedTerms.mappingID)).sorted().map { .string($0) })
    }
    if let reason = decision.reason { detail["reason"] = .string(reason) }
    return try await note(id, outcome, detail, taking: outcome.ingests ? finding.facts : [])
  }

  /// Writes the entry of an object into the report and, unless it is a dry run, stores its facts as for events. Both happen
  /// in one transaction, so that everything in the report has happened.
  private func note(
    _ id: String, _ outcome: BackfillOutcome, _ detail: JSONObject, taking facts: [Fact] = []
  ) async throws -> Entry {
    try await database.transaction(for: tenant) { transaction in
      try await JobStore(tenant: tenant, transaction: transaction).requireRunning(job.id)
      var detail = detail
      if !choice.isDryRun, let purchase = try await take(facts, in: transaction) {
        detail["purchase"] = .string(purchase.rawValue)
      }
      try await JobReport(tenant: tenant, job: job.id, transaction: transaction)
        .add([.init(stripeID: id, outcome: outcome.rawValue, detail: detail)])
      return Entry(outcome: outcome, detail: detail)
    }
  }

  private func take(_ facts: [Fact], in transaction: PostgresTransaction) async throws -> PurchaseID? {
    guard let first = facts.first else { return nil }
    return try await Ingestion(tenant: tenant, transaction: transaction)
      .ingest(facts, note: ("Read from Stripe by a backfill.", "\(job.id) reached \(first.key)."))
  }

  // MARK: What is here

  private func isKnown(_ stripeID: String) async throws -> Bool {
    try await database.transaction(for: tenant) { transaction in
      try await transaction.query(
        """
        SELECT FROM stripe_integration.aliases
         WHERE account_id = \(tenant.account)
           AND livemode   = \(tenant.livemode)
           AND stripe_id  = \(stripeID)
        """
      ).count > 0
    }
  }

  private func entries(_ ids: [String]) async throws -> [String: Entry] {
    let found = try await database.transaction(for: tenant) { transaction in
      try await JobReport(tenant: tenant, job: job.id, transaction: transaction).entries(ids)
    }
    return found.compactMapValues { shown in
      BackfillOutcome(rawValue: shown.outcome).map { Entry(outcome: $0, detail: shown.detail) }
    }
  }
}

extension BackfillChoice.Phase {
  /// The name under which its objects are counted.
  fileprivate var counted: String {
    switch self {
    case .subscriptions: "subscriptions"
    case .sessions: "checkout_sessions"
    case .invoices: "invoices"
    }
  }
}

extension Stripe.Subscription.Status {
  /// Whether a subscription that is not known here becomes a purchase.
  fileprivate var isIngested: Bool {
    switch self {
    case .active, .trialing, .pastDue, .unpaid, .paused: true
    case .incomplete, .incompleteExpired, .canceled, .unknown: false
    }
  }
}
