import Foundation
import Identity
import Postgres
import Purchases
import StripeAPI
import Tenancy

/// Stores what Stripe said about an object that no event brought, as for an event: facts, the ids that link them, and a look
/// at the purchase.
struct Ingestion {
  let tenant: Tenant
  let transaction: PostgresTransaction

  /// - Parameters:
  ///   - facts: of one purchase, beginning with the object that it starts from.
  ///   - note: for the timeline of the purchase, if anything is new.
  /// - Returns: the purchase; nil if the facts name nothing that is sold.
  func ingest(_ facts: [Fact], note: (title: String, detail: String)) async throws -> PurchaseID? {
    guard let first = facts.first else { return nil }
    let index = PurchaseIndex(tenant: tenant, transaction: transaction)
    try await TenantLock.take(index.tenant, in: index.transaction)
    let store = FactStore(tenant: tenant, transaction: transaction)
    var isNews = false
    for fact in facts {
      for part in fact.snapshot.withShares {
        if try await store.learn(Fact(part, asOf: fact.asOf, source: fact.source)) { isNews = true }
      }
    }
    let knowledge = Knowledge(facts)
    guard var purchase = try await index.purchase(of: first.snapshot.aliases, creating: true) else { return nil }
    for fact in facts.dropFirst() {
      guard let linked = try await index.link(fact.snapshot, to: purchase, knowing: knowledge) else { continue }
      if linked.isOwn {
        purchase = linked.purchase
      } else if isNews {
        try await index.requestReconcile(of: linked.purchase)
      }
    }
    guard isNews else { return purchase }
    try await Timeline(tenant: tenant, purchase: purchase, transaction: transaction)
      .add(.note, note.title, detail: note.detail)
    try await index.requestReconcile(of: purchase)
    return purchase
  }
}
