import Foundation
import Identity
import Postgres
import Purchases
import StripeAPI
import StripeHTTP
import Tenancy

/// Finds out everything that a decision about one object needs, in memory: what Stripe says now, whether its money went back,
/// and what follows from that. Nothing is written, so a dry run and a real one see the same.
struct BackfillSurvey: Sendable {
  let database: TenantDatabase
  let calls: StripeCalls
  let clock: @Sendable () -> Date

  private var tenant: Tenant { calls.tenant }

  struct Finding: Sendable {
    /// What Stripe said, beginning with the object itself.
    var facts: [Fact] = []
    /// The purchase that the object belongs to, if it exists already.
    var purchase: PurchaseID?
    /// Nil for a known purchase: its reconciler decides.
    var decision: Decision?
    /// What would be done at LicenseKit.
    var steps: [Step] = []
    fileprivate var knowledge = Knowledge()
    fileprivate var pinned: [LineKey: Decider.PinnedTerms] = [:]

    fileprivate mutating func learn(_ snapshot: Snapshot, answeredAt: Date) {
      let newest = facts.isEmpty ? nil : knowledge.newest
      // The shares of other subscriptions do not belong to this purchase.
      for part in snapshot.withShares where part.key == snapshot.key || knowledge.facts[part.key] != nil {
        let fact = Fact.fetched(
          part, answeredAt: answeredAt, knowing: knowledge.facts[part.key], newestKnown: newest)
        facts.append(fact)
        knowledge.learn(fact)
      }
    }
  }

  /// - Parameters:
  ///   - snapshot: a Checkout Session, a subscription or an invoice, as Stripe listed it.
  ///   - answeredAt: when it was listed, on Stripe's clock.
  ///   - decidesKnown: whether a known purchase needs a decision too.
  func look(at snapshot: Snapshot, answeredAt: Date, decidesKnown: Bool = false) async throws -> Finding {
    var finding = try await known(snapshot)
    // A known fact may be newer than the list, so the two are joined and the list does not replace it.
    let fact = Fact.fetched(snapshot, answeredAt: answeredAt, knowing: nil)
    finding.facts.append(fact)
    finding.knowledge.learn(fact)
    try await learnMoney(of: snapshot, answeredAt: answeredAt, &finding)
    if finding.purchase == nil || decidesKnown { try await decide(&finding) }
    return finding
  }

  // MARK: What is here

  private func known(_ snapshot: Snapshot) async throws -> Finding {
    try await database.transaction(for: tenant) { transaction in
      let purchases = try await transaction.query(
        """
        SELECT DISTINCT purchase_id
          FROM stripe_integration.aliases
         WHERE account_id = \(tenant.account)
           AND livemode   = \(tenant.livemode)
           AND stripe_id  = ANY(\(snapshot.aliases))
         ORDER BY purchase_id
        """
      ).map { row in try row.get("purchase_id", as: PurchaseID.self) }
      var finding = Finding()
      finding.purchase = purchases.first
      for purchase in purchases {
        let store = FactStore(tenant: tenant, transaction: transaction)
        for fact in try await store.knowledge(of: purchase).facts.values { finding.knowledge.learn(fact) }
        let recorded = try await RecordStore(tenant: tenant, purchase: purchase, transaction: transaction)
          .load()
        finding.pinned.merge(recorded.pinned) { first, _ in first }
      }
      return finding
    }
  }

  // MARK: Money

  /// The event of a refund or dispute may have come long before this service was installed. So charges are asked for before
  /// anything is decided: a buyer whose money went back long ago gets no license now.
  private func learnMoney(
    of snapshot: Snapshot, answeredAt: Date, _ finding: inout Finding
  ) async throws {
    switch snapshot {
    case .checkoutSession(let session):
      if let payment = session.paymentIntent { try await learnCharges(of: payment, &finding) }
    case .invoice(let invoice): try await learnWhole(invoice, answeredAt: answeredAt, &finding)
    case .subscription(let subscription): try await learnPaidInvoices(of: subscription, &finding)
    default: break
    }
  }

  /// The newest paid invoices of a subscription, back to one that sold a whole period. They say what is paid.
  private func learnPaidInvoices(of subscription: Stripe.Subscription, _ finding: inout Finding) async throws {
    let page = try await calls.run { try await $0.paidInvoices(subscription: subscription.id, limit: 5) }
    let invoices = try page.items.map { try Stripe.Invoice($0) }
    // A shared invoice is not in any subscription's list, so the newest invoice is asked for separately.
    if let latest = subscription.latestInvoice, !invoices.contains(where: { $0.id == latest }) {
      let answer = try await calls.run { try await StripeQuestions(session: $0).ask(.invoice(latest)) }
      if case .invoice(let invoice) = answer.snapshot, invoice.status == .paid {
        try await learnWhole(invoice, answeredAt: answer.answeredAt, &finding)
      } else {
        finding.learn(answer.snapshot, answeredAt: answer.answeredAt)
      }
    }
    for invoice in invoices {
      try await learnWhole(invoice, answeredAt: page.readNotBefore, &finding)
      if invoice.lines.contains(where: { !$0.isProration && $0.periodEnd != nil }) { return }
    }
  }

  /// What a list leaves out of an invoice: lines beyond the first, and its payments with their charges.
  private func learnWhole(
    _ listed: Stripe.Invoice, answeredAt: Date, _ finding: inout Finding
  ) async throws {
    var invoice = listed
    if listed.hasMoreLines {
      let lines = try await calls.run { try await $0.invoiceLines(listed.id) }
      invoice = try invoice.withAllLines(lines.items)
    }
    if listed.paymentIntents.isEmpty, listed.charge == nil, listed.total > 0 {
      let payments = try await calls.run { try await $0.invoicePayments(invoice: listed.id) }
      invoice = invoice.withPayments(try payments.items.map { try Stripe.InvoicePayment($0) })
    }
    finding.learn(.invoice(invoice), answeredAt: answeredAt)
    for payment in invoice.paymentIntents { try await learnCharges(of: payment, &finding) }
    if invoice.paymentIntents.isEmpty, let charge = invoice.charge {
      let answer = try await calls.run { try await StripeQuestions(session: $0).ask(.charge(charge)) }
      finding.learn(answer.snapshot, answeredAt: answer.answeredAt)
      if case .charge(let charge) = answer.snapshot { try await learnReturns(of: charge, &finding) }
    }
  }

  private func learnCharges(of payment: Stripe.PaymentIntentID, _ finding: inout Finding) async throws {
    let list = try await calls.run { try await $0.charges(paymentIntent: payment) }
    for item in list.items {
      let charge = try Stripe.Charge(item)
      finding.learn(.charge(charge), answeredAt: list.readNotBefore)
      try await learnReturns(of: charge, &finding)
    }
  }

  /// A charge says that money went back, but not whether the money arrived or may come back again.
  private func learnReturns(of charge: Stripe.Charge, _ finding: inout Finding) async throws {
    if charge.amountRefunded > 0 || charge.isMarkedRefunded {
      let list = try await calls.run { try await $0.refunds(charge: charge.id) }
      for item in list.items { finding.learn(.refund(try Stripe.Refund(item)), answeredAt: list.readNotBefore) }
    }
    if charge.isDisputed {
      let list = try await calls.run { try await $0.disputes(charge: charge.id) }
      for item in list.items { finding.learn(.dispute(try Stripe.Dispute(item)), answeredAt: list.readNotBefore) }
    }
  }

  // MARK: Deciding

  /// Decides as a reconciler would, with Stripe's answers in memory.
  private func decide(_ finding: inout Finding) async throws {
    var stage = Stage(survey: self, finding: finding)
    let rehearsal = try await Rehearsal(of: tenant, on: &stage, now: clock())
    finding = stage.finding
    finding.steps = rehearsal.steps
    // A reconciler has more time for a purchase that does not settle.
    finding.decision =
      rehearsal.questions.isEmpty
      ? rehearsal.decision : Decision(status: .pending, reason: "The facts do not decide this yet.")
  }

  /// The stage of the rehearsal: the findings, and Stripe.
  private struct Stage: RehearsalStage {
    let survey: BackfillSurvey
    var finding: Finding

    mutating func load() async throws -> Reconciliation.Loaded {
      let references = finding.knowledge.soldReferences
      var recorded = Recorded()
      recorded.pinned = finding.pinned
      return try await survey.database.transaction(for: survey.tenant) { transaction in
        Reconciliation.Loaded(
          knowledge: finding.knowledge, recorded: recorded,
          mappings: try await MappingStore(tenant: survey.tenant, transaction: transaction)
            .mappings(products: references.products, prices: references.prices),
          settings: try await SettingsStore(tenant: survey.tenant, transaction: transaction).load())
      }
    }

    mutating func answer(_ question: Question) async throws -> Reconciliation.Answer? {
      let answer = try await survey.calls.run { try await StripeQuestions(session: $0).ask(question) }
      finding.learn(answer.snapshot, answeredAt: answer.answeredAt)
      return answer
    }
  }
}

extension Decision {
  /// The outcome that a backfill reports for this decision.
  var backfillOutcome: BackfillOutcome {
    switch status {
    case .fulfilled: .licensed
    case .waitingMapping: .noMapping
    case .pending, .waitingPayment: .waiting
    case .suspended: .suspended
    case .failed: .failed
    case .ended: .nothing
    }
  }

  /// How many licenses are active under this decision.
  var activeUnits: Int { lines.reduce(0) { $0 + $1.units.count { $0.access == .active } } }
}
