import Foundation
import Identity
import JSON
import Postgres
import Purchases
import StripeAPI
import StripeHTTP
import Tenancy

/// Asks Stripe about an object that is not on record, and follows it to its purchase. It works in memory and writes nothing.
struct LiveLook: Sendable {
  let database: TenantDatabase
  let calls: StripeCalls
  let clock: @Sendable () -> Date

  private var tenant: Tenant { calls.tenant }

  struct Finding: Sendable {
    /// What Stripe said, beginning with the object that the purchase starts from.
    var facts: [Fact] = []
    /// How the object was followed, in words.
    var path: [String] = []
    /// When the object was created, if it says so.
    var created: Date?
    var purchase: PurchaseID?
    var decision: Decision?
    /// What would be done at LicenseKit if it were processed.
    var steps: [Step] = []
  }

  /// The result of the look.
  enum Outcome: Sendable {
    case found(Finding)
    /// Stripe has no such object for this account and mode.
    case missing
    /// Stripe cannot be asked for an object of this kind by its id alone.
    case cannotAsk
  }

  /// - Throws: `TenantUnavailable`, `StripeError`, `StripeObjectError`.
  func look(at object: ExplainedObject) async throws -> Outcome {
    guard let question = try await question(for: object) else {
      return object.kind == .event || object.kind == .subscriptionItem ? .missing : .cannotAsk
    }
    let first = try await ask(question)
    if case .missing = first.snapshot { return .missing }
    var finding = Finding()
    finding.created = first.snapshot.created
    finding.path.append("Stripe has \(first.snapshot.noun)\(first.snapshot.state.map { ": \($0)" } ?? "").")
    if case .customer = first.snapshot { return .found(finding) }
    try await follow(first, &finding)
    return .found(finding)
  }

  /// An event or a subscription item leads to the object it is about.
  private func question(for object: ExplainedObject) async throws -> Question? {
    switch object.kind {
    case .event:
      guard let event = try await optional({ try await $0.event(.init(object.id)) }) else { return nil }
      guard let id = event.value["data"]?["object"]?["id"]?.string else { return nil }
      return ExplainedObject(id).question
    case .subscriptionItem:
      guard let item = try await optional({ try await $0.get(["subscription_items", object.id]) }) else { return nil }
      return item.value["subscription"]?.string.map { .subscription(.init($0)) }
    default: return object.question
    }
  }

  private func optional(_ body: (StripeSession) async throws -> StripeAnswer) async throws -> StripeAnswer? {
    do {
      return try await calls.run(body)
    } catch let error as StripeError where error.retry == .notFound {
      return nil
    }
  }

  private func ask(_ question: Question) async throws -> Reconciliation.Answer {
    try await calls.run { try await StripeQuestions(session: $0).ask(question) }
  }

  // MARK: Following

  /// Follows a charge to its payment, the payment to its session and so on, up to the purchase's root; then asks everything
  /// that a decision needs.
  private func follow(_ first: Reconciliation.Answer, _ finding: inout Finding) async throws {
    var knowledge = Knowledge()
    var answers: [FactKey: Reconciliation.Answer] = [:]
    func learn(_ answer: Reconciliation.Answer) {
      knowledge.learnAnswer(answer.snapshot, answeredAt: answer.answeredAt)
      answers[answer.snapshot.key] = answer
    }
    learn(first)
    for _ in 0..<Reconciliation.maximumRounds {
      let ids = knowledge.aliases
      finding.purchase = try await database.transaction(for: tenant) { transaction in
        try await ExplainRecords(tenant: tenant, transaction: transaction).purchase(ofAny: ids)
      }
      if finding.purchase != nil { break }
      guard case .ask(let questions) = knowledge.findRoot() else { break }
      for question in questions {
        let answer = try await ask(question)
        learn(answer)
        finding.path.append("Asked for \(question.sentence): \(answer.snapshot.state ?? "it is there").")
      }
    }
    finding.facts = knowledge.facts.values.sorted { $0.key < $1.key }
    guard finding.purchase == nil else { return }
    try await decide(knowledge, answers, &finding)
  }

  private func decide(
    _ knowledge: Knowledge, _ answers: [FactKey: Reconciliation.Answer], _ finding: inout Finding
  ) async throws {
    guard case .found(let root) = knowledge.findRoot(), let question = root.question else {
      var stage = Stage(look: self, knowledge: knowledge)
      let rehearsal = try await Rehearsal(of: tenant, on: &stage, now: clock())
      finding.steps = rehearsal.steps
      finding.decision =
        rehearsal.questions.isEmpty
        ? rehearsal.decision : Decision(status: .pending, reason: "The facts do not decide this yet.")
      return
    }
    var answer = answers[question.key]
    if answer == nil { answer = try await ask(question) }
    guard let answer else { return }
    if answers[question.key] == nil {
      finding.path.append("Asked for \(question.sentence): \(answer.snapshot.state ?? "it is there").")
    }
    if case .missing = answer.snapshot { return }
    let survey = try await BackfillSurvey(database: database, calls: calls, clock: clock)
      .look(at: answer.snapshot, answeredAt: answer.answeredAt, decidesKnown: true)
    let known = Set(survey.facts.map(\.key))
    finding.facts = survey.facts + finding.facts.filter { !known.contains($0.key) }
    finding.purchase = survey.purchase
    finding.decision = survey.decision
    finding.steps = survey.steps
  }

  /// A payment that names what it sells or names nothing; and Stripe.
  private struct Stage: RehearsalStage {
    let look: LiveLook
    var knowledge: Knowledge

    mutating func load() async throws -> Reconciliation.Loaded {
      let references = knowledge.soldReferences
      return try await look.database.transaction(for: look.tenant) { transaction in
        Reconciliation.Loaded(
          knowledge: knowledge, recorded: Recorded(),
          mappings: try await MappingStore(tenant: look.tenant, transaction: transaction)
            .mappings(products: references.products, prices: references.prices),
          settings: try await SettingsStore(tenant: look.tenant, transaction: transaction).load())
      }
    }

    mutating func answer(_ question: Question) async throws -> Reconciliation.Answer? {
      let answer = try await look.ask(question)
      knowledge.learnAnswer(answer.snapshot, answeredAt: answer.answeredAt)
      return answer
    }
  }

  /// The newest sessions made by a Payment Link.
  func sessions(ofLink link: String) async throws -> [String] {
    let parameters = FormParameters([("payment_link", .string(link))])
    let page = try await calls.run { try await $0.page(["checkout", "sessions"], parameters, limit: 20) }
    return page.items.compactMap { $0["id"]?.string }
  }

  // MARK: What Stripe sent, and where

  /// Events that Stripe created about an object, if the app may read them and Stripe still keeps them. Nil means not known.
  func events(about id: String, from: Date, to: Date) async -> [StripeEventNotice]? {
    let parameters = FormParameters([])
      .adding(
        "created",
        ["gte": .integer(Int64(from.timeIntervalSince1970)), "lte": .integer(Int64(to.timeIntervalSince1970))])
    guard let page = try? await calls.run({ try await $0.page(["events"], parameters) }) else { return nil }
    return page.items.compactMap { item in
      guard let event = item["id"]?.string, let type = item["type"]?.string,
        JSONValue.object(item["data"]?["object"]?.object ?? JSONObject()).text().contains("\"\(id)\"")
      else { return nil }
      return StripeEventNotice(id: event, type: type, pendingWebhooks: item["pending_webhooks"]?.integer ?? 0)
    }
  }
}

/// An event as Stripe lists it.
struct StripeEventNotice: Hashable, Sendable {
  let id: String
  let type: String
  /// Deliveries that were not yet answered with success.
  let pendingWebhooks: Int64
}

extension Root {
  /// The question that asks Stripe for the root itself.
  fileprivate var question: Question? {
    switch self {
    case .subscription(let id): .subscription(id)
    case .checkout(let id): .checkoutSession(id)
    case .invoice(let id): .invoice(id)
    default: nil
    }
  }
}

extension Snapshot {
  /// When the object was created, if it says so.
  fileprivate var created: Date? {
    switch self {
    case .checkoutSession(let object): object.created
    case .subscription(let object): object.created
    case .invoice(let object): object.created
    case .paymentIntent(let object): object.created
    case .charge(let object): object.created
    case .refund(let object): object.created
    case .dispute(let object): object.created
    default: nil
    }
  }
}
