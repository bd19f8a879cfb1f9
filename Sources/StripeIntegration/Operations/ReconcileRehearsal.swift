import Foundation
import Identity
import LicenseKitAPI
import Postgres
import Purchases
import Queue
package import StripeAPI
import Tenancy

extension OperatorTools {
  /// Reports for each purchase which steps a reconciler would take now, and why. It asks Stripe and LicenseKit as a
  /// reconciler would, and writes nothing anywhere.
  /// - Parameters:
  ///   - id: only this purchase, by any of its ids.
  ///   - all: whether to include purchases for which nothing is known to be due.
  package func rehearse(
    _ tenant: Tenant, only id: String? = nil, all: Bool, print: @Sendable (String) -> Void
  ) async throws -> Outcome {
    let blockage = try await database.transaction(for: tenant) { transaction in
      try await Blockage.of(tenant, in: transaction)
    }
    if let blockage, blockage.code != "outage" {
      print(blockage.sentence)
      return .blocked
    }
    var only: PurchaseID?
    if let id {
      only = try await database.transaction(for: tenant) { transaction in
        try await FulfillmentReader(tenant: tenant, transaction: transaction).purchase(of: id)
      }
      guard only != nil else {
        print("No purchase of \(tenant) has the id \(id).")
        return .needsAttention
      }
    }
    var (outcome, seen, changing) = (Outcome.done, 0, 0)
    var last: PurchaseID?
    while true {
      let page = try await page(tenant, only, all: all, after: last)
      for row in page {
        seen += 1
        do {
          let rehearsal = try await rehearse(row, of: tenant)
          if rehearsal.wouldChange(row.beginning) || only != nil { tell(row, rehearsal, print) }
          if rehearsal.wouldChange(row.beginning) { changing += 1 }
          if rehearsal.obstacle != nil { outcome = .needsAttention }
        } catch let unavailable as TenantUnavailable {
          print(Blockage(unavailable).sentence)
          return .blocked
        } catch {
          if let outage = Outage(error) {
            print(outage.sentence)
            return .blocked
          }
          print("\(row.id)  \(row.stripeID)  cannot be told: \(error)")
          outcome = .needsAttention
        }
      }
      last = page.last?.id
      if page.count < Self.pageSize { break }
    }
    print(seen == 0 ? "Nothing is due." : "\(seen) looked at, \(changing) would change. Nothing was written.")
    return outcome
  }

  private static let pageSize = 100

  private struct Row: Sendable {
    let id: PurchaseID
    let stripeID: String
    let beginning: Reconciliation.Beginning
  }

  private func page(
    _ tenant: Tenant, _ only: PurchaseID?, all: Bool, after last: PurchaseID?
  ) async throws -> [Row] {
    try await database.transaction(for: tenant) { transaction in
      try await transaction.query(
        """
        SELECT purchase_id, stripe_id, status, reason, inspect
          FROM stripe_integration.purchases
         WHERE account_id  = \(tenant.account)
           AND livemode    = \(tenant.livemode)
           AND merged_into IS NULL
           AND purchase_id > \(last?.rawValue ?? "")
           AND (\(only)::text IS NULL OR purchase_id = \(only)::text)
           AND (\(all) OR \(only)::text IS NOT NULL OR attention_at <= now())
         ORDER BY purchase_id
         LIMIT \(Self.pageSize)
        """
      ).map { row in
        Row(
          id: try row.get("purchase_id"), stripeID: try row.get("stripe_id"),
          beginning: .init(
            status: PurchaseStatus(rawValue: try row.get("status")), reason: try row.get("reason"),
            inspects: try row.get("inspect")))
      }
    }
  }

  private func rehearse(_ row: Row, of tenant: Tenant) async throws -> Rehearsal {
    var stage = LiveStage(
      database: database, purchase: row.id, calls: StripeCalls(stripe: stripe, tenant: tenant),
      licenseKit: reconciler.licenseKit)
    return try await Rehearsal(of: tenant, row.beginning, on: &stage, now: clock())
  }

  private func tell(_ row: Row, _ rehearsal: Rehearsal, _ print: @Sendable (String) -> Void) {
    let before = row.beginning.status?.rawValue ?? "unknown"
    let after = (rehearsal.described ?? rehearsal.decision)?.status.rawValue ?? before
    print("\(row.id)  \(row.stripeID)  \(before == after ? before : "\(before) -> \(after)")")
    for step in rehearsal.steps { print("    \(step.sentence)") }
    for (unit, what) in rehearsal.changes {
      let words = what.sorted().map(\.sentence).joined(separator: " and ")
      print("    License \(unit.ordinal) of line \(unit.line) was \(words) at LicenseKit.")
    }
    if let obstacle = rehearsal.obstacle { print("    Stops: \(obstacle)") }
    for line in (rehearsal.described ?? rehearsal.decision)?.summary?.split(separator: "\n") ?? [] {
      print("    why: \(line)")
    }
  }
}

extension Rehearsal {
  /// Whether a run would change anything that a vendor sees.
  fileprivate func wouldChange(_ beginning: Reconciliation.Beginning) -> Bool {
    !steps.isEmpty || !changes.isEmpty || obstacle != nil || described?.status != beginning.status
  }
}

/// The tables, Stripe and LicenseKit, read-only.
private struct LiveStage: RehearsalStage {
  let database: TenantDatabase
  let purchase: PurchaseID
  let calls: StripeCalls
  let licenseKit: any LicenseKitAccess
  private var answers: [Reconciliation.Answer] = []

  init(
    database: TenantDatabase, purchase: PurchaseID, calls: StripeCalls, licenseKit: any LicenseKitAccess
  ) {
    (self.database, self.purchase, self.calls, self.licenseKit) = (database, purchase, calls, licenseKit)
  }

  private struct Undone: Error { let loaded: Reconciliation.Loaded }

  mutating func load() async throws -> Reconciliation.Loaded {
    let answers = answers
    do {
      return try await database.transaction(for: calls.tenant) { transaction -> Reconciliation.Loaded in
        // The ids that a run would link are linked for this reading only: the transaction is undone.
        try await FactStore(tenant: calls.tenant, transaction: transaction).linkCharges(of: purchase)
        throw Undone(
          loaded: try await .init(of: purchase, calls.tenant, answers: answers, in: transaction))
      }
    } catch let undone as Undone {
      return undone.loaded
    }
  }

  mutating func customer(_ code: String) async throws -> Recorded.Customer? {
    try await database.transaction(for: calls.tenant) { transaction in
      try await RecordStore(tenant: calls.tenant, purchase: purchase, transaction: transaction).customer(code)
    }
  }

  mutating func answer(_ question: Question) async throws -> Reconciliation.Answer? {
    let answer = try await calls.run { try await StripeQuestions(session: $0).ask(question) }
    answers.append(answer)
    return answer
  }

  mutating func look(at license: LicenseID) async throws -> SeenLicense? {
    do {
      return SeenLicense(try await licenseKit.client(for: calls.tenant).getLicense(license))
    } catch let error as LicenseKitError where error.retry == .gone {
      return nil
    }
  }
}
