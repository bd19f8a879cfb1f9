import Foundation
import Identity
import Postgres
import Purchases
import Queue
import StripeAPI
import Tenancy

/// Answers "why is there (no) license for this?" for any id, known or not. It only reads.
struct Explainer: Sendable {
  let database: TenantDatabase
  let stripe: any StripeAccess
  let clock: @Sendable () -> Date
  let tenant: Tenant
  /// The operator may learn that an id is known in the account's other mode. A vendor's token is for one mode only.
  let isOperator: Bool

  private var look: LiveLook {
    LiveLook(database: database, calls: StripeCalls(stripe: stripe, tenant: tenant), clock: clock)
  }

  func explain(_ id: String) async throws -> Explanation {
    let object = ExplainedObject(id)
    var (explanation, blockage, purchases) = try await records(of: object)
    switch object.kind {
    case .product, .price:
      try await explainCatalog(object, purchases, &explanation)
      return explanation
    case .paymentLink:
      try await explainLink(object, blockage, &explanation)
      return explanation
    default: break
    }
    if !purchases.isEmpty {
      try await explain(purchases, blockage, &explanation)
      return explanation
    }
    if let event = explanation.events.first(where: { $0.state != "done" && $0.state != "ignored" }) {
      explain(event, blockage, &explanation)
      return explanation
    }
    if object.kind == .event, let event = explanation.events.first {
      explainHandled(event, &explanation)
      return explanation
    }
    try await explainUnseen(object, blockage, &explanation)
    return explanation
  }

  /// Processes an object now: what Stripe says about it becomes facts, and its purchase is looked at.
  /// - Returns: the purchase; nil if Stripe has nothing under this id that is sold.
  func ingest(_ id: String, by actor: String) async throws -> PurchaseID? {
    guard case .found(let finding) = try await look.look(at: ExplainedObject(id)) else { return nil }
    let root = finding.decision?.root?.stripeID
    let first = finding.facts.first { $0.key.rawValue == root } ?? finding.facts.first { !$0.snapshot.aliases.isEmpty }
    guard let first else { return nil }
    return try await database.transaction(for: tenant) { transaction in
      try await Ingestion(tenant: tenant, transaction: transaction).ingest(
        [first] + finding.facts.filter { $0.key != first.key },
        note: ("Ingested on request.", "\(actor) asked for \(id); it was read from Stripe."))
    }
  }

  // MARK: What is on record

  private func records(
    of object: ExplainedObject
  ) async throws -> (Explanation, blockage: Blockage?, purchases: [PurchaseID]) {
    try await database.transaction(for: tenant) { transaction in
      let records = ExplainRecords(tenant: tenant, transaction: transaction)
      let (connection, blockage) = try await records.connection()
      var explanation = Explanation(
        object: .init(id: object.id, type: object.kind), accountID: tenant.account, livemode: tenant.livemode,
        verdict: .init(code: .unknownObject, sentence: ""), connection: connection)
      if let blockage {
        explanation.chain.append(
          .init(blockage.code == "outage" ? .outage : .connection, blockage.sentence, at: blockage.since))
      }
      if let pending = try await InstallStore(tenant: tenant, transaction: transaction).pendingApproval() {
        explanation.chain.append(.init(.connection, pending.sentence, at: pending.since))
      }
      var purchases = try await records.purchases(of: object)
      if object.kind == .event {
        if let (event, body) = try await records.event(object.id) {
          explanation.events = [event]
          explanation.chain.append(Self.reason(event))
          if let parsed = try? StripeEvent(parsing: Array(body.utf8)), let id = parsed.objectID {
            explanation.chain.append(.init(.link, "Event \(object.id) is about \(id)."))
            if event.state == "done", purchases.isEmpty {
              purchases = try await records.purchases(of: ExplainedObject(id))
            }
          }
        }
      } else {
        explanation.events = try await records.openEvents(about: object.id)
        explanation.chain += explanation.events.map(Self.reason)
        if purchases.isEmpty, let fact = try await records.fact(about: object.id) {
          explanation.chain.append(Self.reason(fact))
        }
      }
      explanation.chain += try await records.jobs()
      return (explanation, blockage, purchases)
    }
  }

  static func reason(_ event: Explanation.Event) -> Explanation.Reason {
    .init(
      .event, "Event \(event.id) (\(event.type)) came and is \(event.state)\(event.outcome.map { ": \($0)" } ?? "").",
      at: event.created)
  }

  static func reason(_ fact: Fact) -> Explanation.Reason {
    .init(
      .fact,
      "Known about \(fact.snapshot.noun): \(fact.snapshot.state ?? "that it exists")"
        + " (\(fact.source == .fetch ? "Stripe was asked" : "from an event")\(fact.isContested ? ", contested" : "")).",
      at: fact.asOf)
  }

  // MARK: Purchases

  private func explain(
    _ purchases: [PurchaseID], _ blockage: Blockage?, _ explanation: inout Explanation
  ) async throws {
    let now = clock()
    let object = explanation.object
    let told = try await database.transaction(for: tenant) { transaction in
      let records = ExplainRecords(tenant: tenant, transaction: transaction)
      let (rows, views) = try await records.views(of: purchases, now: now)
      var chain: [Explanation.Reason] = []
      var events: [Explanation.Event] = []
      for (row, view) in zip(rows, views).prefix(3) {
        let ids = [row.stripeID] + view.purchase.aliases.filter { $0 != row.stripeID }
        chain.append(.init(.link, "\(ids.listed) are one purchase: \(row.id), a \(row.kind)."))
        let knowledge = try await records.knowledge(of: row.id)
        chain += knowledge.facts.values.sorted { $0.key < $1.key }.prefix(50).map(Self.reason)
        let own = try await records.events(of: row.id)
        chain += own.map(Self.reason)
        events += own
        let references = knowledge.soldReferences
        let mappings = try await records.mappings(products: references.products, prices: references.prices)
        chain += ExplainVerdict.mappings(knowledge, mappings)
        chain += try await records.summary(of: row.id)
      }
      return (rows: rows, views: views, chain: chain, events: events)
    }
    explanation.fulfillments = told.views
    explanation.chain += told.chain
    let known = Set(explanation.events.map(\.id))
    explanation.events += told.events.filter { !known.contains($0.id) }
    (explanation.verdict, explanation.whatToDo) = ExplainVerdict.of(told.rows, blockage, object: object.id)
  }

  // MARK: Events without a purchase

  private func explain(_ event: Explanation.Event, _ blockage: Blockage?, _ explanation: inout Explanation) {
    let replay = Explanation.Action(
      "Route it once more.", "POST", "/stripe/admin/events/\(event.id)/replay")
    if event.state == "failed" {
      explanation.verdict = .init(
        code: .eventFailed, sentence: "Stripe's event \(event.id) cannot be processed: \(event.outcome ?? "").")
      explanation.whatToDo = [replay]
    } else if let blockage {
      explanation.verdict = ExplainVerdict.of(blockage, besides: "Stripe's event \(event.id) came.")
      explanation.whatToDo = ExplainVerdict.actions(blockage)
    } else {
      explanation.verdict = .init(
        code: .eventWaiting, sentence: "Stripe's event \(event.id) arrived and is processed within seconds.")
      explanation.whatToDo = [.init("Ask again in a moment. If nothing changes, check that a worker is running.")]
    }
  }

  private func explainHandled(_ event: Explanation.Event, _ explanation: inout Explanation) {
    explanation.verdict = .init(
      code: .eventIgnored, sentence: "This event has no license of its own: \(event.outcome ?? "it was stored").")
    explanation.whatToDo = [.init("Ask about the payment or the session of the sale instead.")]
  }

  // MARK: Products, prices, Payment Links

  private func explainCatalog(
    _ object: ExplainedObject, _ purchases: [PurchaseID], _ explanation: inout Explanation
  ) async throws {
    let now = clock()
    let (mappings, views) = try await database.transaction(for: tenant) { transaction in
      let records = ExplainRecords(tenant: tenant, transaction: transaction)
      return (
        try await records.mappings(
          products: object.kind == .product ? [object.id] : [], prices: object.kind == .price ? [object.id] : []),
        try await records.views(of: purchases, now: now).views
      )
    }
    explanation.fulfillments = views
    explanation.chain += mappings.map { .init(.mapping, "Mapping \($0.id): \($0.terms.sentence).") }
    if mappings.isEmpty {
      let waiting = views.isEmpty ? "No sale waits for one." : "\(views.count) sales or more wait for one."
      explanation.verdict = .init(
        code: .unmapped,
        sentence: "No mapping names this \(object.noun)"
          + (object.kind == .price ? "; a mapping of its product applies, if there is one" : "") + ". \(waiting)")
      explanation.whatToDo = [
        .init("Add a mapping: it fulfills the sales that wait.", "POST", "/stripe/admin/mappings")
      ]
    } else {
      explanation.verdict = .init(
        code: .mapped, sentence: "Sales of this \(object.noun) are licensed by \(mappings.map(\.id).listed).")
    }
  }

  private func explainLink(
    _ object: ExplainedObject, _ blockage: Blockage?, _ explanation: inout Explanation
  ) async throws {
    let look = look
    guard let sessions = try await askStripe(&explanation, { try await look.sessions(ofLink: object.id) }) else {
      return
    }
    var purchases: [PurchaseID] = []
    for session in sessions {
      let found = try await database.transaction(for: tenant) { transaction in
        try await ExplainRecords(tenant: tenant, transaction: transaction).purchase(ofAny: [session])
      }
      if let found, !purchases.contains(found) { purchases.append(found) }
      explanation.chain.append(
        .init(.stripe, "It created \(session): \(found.map { "purchase \($0)" } ?? "not known here").", at: nil))
    }
    if purchases.isEmpty {
      explanation.verdict = .init(
        code: sessions.isEmpty ? .unknownObject : .notSeen,
        sentence: sessions.isEmpty
          ? "Stripe knows no sale through this Payment Link."
          : "None of the \(sessions.count) newest sales of this Payment Link is known here.")
      explanation.whatToDo = sessions.isEmpty ? [] : [ExplainVerdict.explainOne(sessions[0])]
    } else {
      try await explain(purchases, blockage, &explanation)
    }
  }

  // MARK: Never seen

  private func explainUnseen(
    _ object: ExplainedObject, _ blockage: Blockage?, _ explanation: inout Explanation
  ) async throws {
    if let livemode = object.livemode, livemode != tenant.livemode {
      explanation.verdict = ExplainVerdict.wrongMode(object, livemode: livemode)
      return
    }
    if explanation.connection.status == "never" || blockage?.code == TenantUnavailable.Reason.notConnected.rawValue {
      explanation.verdict = .init(
        code: .notConnected,
        sentence:
          "Nothing is known about this \(object.noun), and Stripe cannot be asked: the account is not connected in "
          + "\(tenant.livemode ? "live" : "test") mode.")
      explanation.whatToDo = blockage.map(ExplainVerdict.actions) ?? []
      return
    }
    let look = look
    guard let outcome = try await askStripe(&explanation, { try await look.look(at: object) }) else { return }
    switch outcome {
    case .cannotAsk:
      explanation.verdict = .init(
        code: .unknownObject,
        sentence: object.kind == .license
          ? "This service has no record of this id: it is no license of ours, and Stripe cannot be asked about such an id."
          : "No fulfilled sale has this \(object.noun), and Stripe cannot be asked about one alone.")
      explanation.whatToDo = [.init("Ask about the session, the subscription, the invoice or the payment of the sale.")]
    case .missing: try await explainMissing(object, &explanation)
    case .found(let finding): try await explain(finding, object, blockage, &explanation)
    }
  }

  /// Runs calls to Stripe. If they fail, the failure becomes the answer.
  private func askStripe<T: Sendable>(
    _ explanation: inout Explanation, _ body: @Sendable () async throws -> T
  ) async throws -> T? {
    explanation.askedStripe = true
    do {
      return try await body()
    } catch let error as TenantUnavailable {
      let blockage = Blockage(error)
      explanation.verdict = ExplainVerdict.of(blockage, besides: "Nothing is known about \(explanation.object.id).")
      explanation.whatToDo = ExplainVerdict.actions(blockage)
    } catch let error as StripeError {
      explanation.verdict = .init(
        code: .stripeUnavailable,
        sentence: "Nothing is known here about \(explanation.object.id), and Stripe gave no answer: \(error).")
      explanation.whatToDo = [.init("Ask again later.")]
    } catch let error as StripeObjectError {
      explanation.verdict = .init(
        code: .stripeUnavailable, sentence: "Stripe's answer about \(explanation.object.id) cannot be read: \(error).")
    }
    return nil
  }

  private func explainMissing(_ object: ExplainedObject, _ explanation: inout Explanation) async throws {
    let mode = tenant.livemode ? "live" : "test"
    let other = Tenant(account: tenant.account, livemode: !tenant.livemode)
    if isOperator {
      let isThere = try await database.transaction(for: other) { transaction in
        try await ExplainRecords(tenant: other, transaction: transaction).purchase(ofAny: [object.id]) != nil
      }
      if isThere {
        explanation.verdict = ExplainVerdict.wrongMode(object, livemode: other.livemode)
        return
      }
    }
    explanation.verdict = .init(
      code: .unknownObject,
      sentence: "Neither this service nor Stripe knows this \(object.noun) for \(tenant.account) in \(mode) mode.")
    explanation.whatToDo = [
      .init("Check that the id is complete and belongs to this account and mode: Stripe shows no id of another one.")
    ]
  }

  private func explain(
    _ finding: LiveLook.Finding, _ object: ExplainedObject, _ blockage: Blockage?, _ explanation: inout Explanation
  ) async throws {
    explanation.chain += finding.path.map { .init(.stripe, $0) }
    if let purchase = finding.purchase {
      explanation.chain.append(.init(.link, "It belongs to purchase \(purchase), which did not know this id."))
      try await explain([purchase], blockage, &explanation)
      return
    }
    if object.kind == .customer {
      explanation.verdict = .init(
        code: .notSeen, sentence: "Stripe has this customer; no sale to them is known here.")
      explanation.whatToDo = [.init("Ask about a session, a subscription or a payment of this customer.")]
      return
    }
    let (why, reasons) = try await whyUnseen(finding, object, explanation.connection)
    explanation.chain += reasons
    if let decision = finding.decision {
      explanation.chain.append(
        .init(
          .decision, "With what Stripe says now: \(decision.status.rawValue)\(decision.reason.map { ". \($0)" } ?? "")")
      )
      explanation.ifTakenUp = ExplainVerdict.outlook(decision, finding.steps)
    }
    let isOlder = finding.created.flatMap { made in explanation.connection.installedAt.map { made < $0 } } ?? false
    (explanation.verdict, explanation.whatToDo) = ExplainVerdict.of(finding, object, why: why, isOlder: isOlder)
  }

  /// Why no event has brought it here.
  private func whyUnseen(
    _ finding: LiveLook.Finding, _ object: ExplainedObject, _ connection: Explanation.Connection
  ) async throws -> (why: String, reasons: [Explanation.Reason]) {
    guard let created = finding.created else { return ("It is not known why no event about it arrived.", []) }
    if let installed = connection.installedAt, created < installed {
      return (
        "It is older than the installation of the app (\(installed.inWords)): its events were never sent here.",
        [
          .init(
            .connection, "The app was installed \(installed.inWords); this was made \(created.inWords).", at: installed)
        ]
      )
    }
    let (from, to) = (
      created.addingTimeInterval(-60), min(created.addingTimeInterval(86_400), clock().addingTimeInterval(86_400))
    )
    let ids = [object.id] + (finding.decision?.root.map { [$0.stripeID] } ?? [])
    var (made, here): ([StripeEventNotice], [Explanation.Event]) = ([], [])
    var isKnown = false
    for id in Set(ids).sorted() {
      if let found = await look.events(about: id, from: from, to: to) {
        isKnown = true
        made += found.filter { !made.contains($0) }
      }
      let stored = try await database.transaction(for: tenant) { transaction in
        try await ExplainRecords(tenant: tenant, transaction: transaction).events(about: id, from: from, to: to)
      }
      here += stored.filter { event in !here.contains { $0.id == event.id } }
    }
    var reasons = made.map { event in
      Explanation.Reason(
        .event,
        "Stripe made \(event.type) (\(event.id)); "
          + (here.contains { $0.id == event.id } ? "it arrived here" : "it never arrived here")
          + (event.pendingWebhooks > 0 ? ", and Stripe still tries to deliver it" : "") + ".")
    }
    reasons += here.filter { event in !made.contains { $0.id == event.id } }.map(Self.reason)
    return (ExplainVerdict.whyUnseen(made: isKnown ? made : nil, here: here), reasons)
  }
}
