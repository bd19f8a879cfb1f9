import Foundation
import Identity
import JSON
import Logging
import Postgres
import ServerKit
import StripeAPI

/// Asks Stripe for the objects of thin events, and makes of each the snapshot event that tells the same. From there on they
/// are events like all others.
///
/// An object that several events are about is asked for once. What Stripe answers is at least as new as every event that
/// was there before it was asked.
struct ThinEventWork: JobWork {
  let database: TenantDatabase
  let stripe: any StripeAccess
  let recent: RecentEvents
  let wakeUp: WakeUp
  let logger: Logger

  static let counts = ["events", "objects", "failed"]
  /// Events that one piece looks at.
  static let batch = 40
  /// Calls at a time.
  static let width = 4

  /// Events of one object; those about none are asked for one by one.
  private struct Group: Sendable {
    let key: String
    var events: [(row: String, event: ThinEvent)]
  }

  func step(_ job: Job) async throws -> JobStep {
    let tenant = job.tenant
    let waiting = try await database.transaction(for: tenant) { transaction in
      try await ThinEventQueue(tenant: tenant, transaction: transaction).waiting(limit: Self.batch)
    }
    guard !waiting.isEmpty else {
      // Looked at again by the transaction that ends the job: an event that came meanwhile has seen it open.
      return .doneUnlessMore(counts: [:]) { transaction in
        try await !ThinEventQueue(tenant: tenant, transaction: transaction).isEmpty()
      }
    }
    let (groups, others) = Self.groups(of: waiting)
    if !others.isEmpty {
      try await change(job) { try await $0.release(others) }
    }
    let results = try await groups.concurrently(Self.width) { group in
      // One that cannot be asked for now keeps no other from being asked for.
      do { return Result<Bool, any Error>.success(try await look(at: group, job)) } catch {
        try await change(job) {
          try await $0.postpone(group.events.map(\.row), reason: "Stripe could not be asked: \(error)")
        }
        return .failure(error)
      }
    }
    wakeUp.signal()
    for case .failure(let error) in results { throw error }
    let failed = results.count { (try? $0.get()) == false }
    return .more(cursor: .null, counts: ["events": waiting.count, "objects": groups.count, "failed": failed])
  }

  private static func groups(of waiting: [ThinEventQueue.Waiting]) -> (groups: [Group], others: [String]) {
    var groups: [Group] = []
    var others: [String] = []
    for row in waiting {
      guard case .thin(let event)? = try? DeliveredEvent(parsing: Array(row.body.utf8)) else {
        others.append(row.id)
        continue
      }
      let key = event.relatedObject.map { "\($0.type)/\($0.id)" } ?? row.id
      if let known = groups.firstIndex(where: { $0.key == key }) {
        groups[known].events.append((row.id, event))
      } else {
        groups.append(Group(key: key, events: [(row.id, event)]))
      }
    }
    return (groups, others)
  }

  /// - Returns: whether the object or its events could be had.
  private func look(at group: Group, _ job: Job) async throws -> Bool {
    let calls = StripeCalls(stripe: stripe, tenant: job.tenant)
    var unavailable: StripeError?
    var bodies: [String: String] = [:]
    if let object = group.events.first?.event.relatedObject, let path = Self.path(of: object) {
      do {
        let answer = try await calls.run { try await $0.get(path) }
        for (row, event) in group.events {
          bodies[row] = event.snapshot(of: answer.value, version: StripeClient.defaultVersion).text()
        }
      } catch let error as StripeError where Self.isFinal(error) {
        unavailable = error
      }
    }
    // What is gone, or may not be read, is still told by the snapshot event.
    for (row, event) in group.events where bodies[row] == nil && event.hasSnapshotEvent {
      do {
        let answer = try await calls.run { try await $0.event(event.id) }
        bodies[row] = ListedEvent(answer.value, of: job.tenant)?.body
      } catch let error as StripeError where Self.isFinal(error) {
        unavailable = unavailable ?? error
      }
    }
    let failed = group.events.map(\.row).filter { bodies[$0] == nil }
    let reason = "The object cannot be asked for at Stripe: \(unavailable?.description ?? "the event names none")"
    let found = bodies
    try await change(job) { queue in
      if !found.isEmpty { try await queue.complete(found) }
      if !failed.isEmpty { try await queue.fail(failed, reason: reason) }
    }
    guard !failed.isEmpty else { return true }
    await recent.doubt(job.tenant)
    logger.warning(
      "the object of a thin event cannot be asked for",
      metadata: ["tenant": "\(job.tenant)", "count": "\(failed.count)"])
    return false
  }

  /// Whether asking again brings the same answer.
  private static func isFinal(_ error: StripeError) -> Bool {
    error.retry == .notFound || error.retry == .permission || error.retry == .invalid
  }

  private func change(
    _ job: Job, _ body: @Sendable (ThinEventQueue) async throws -> Void
  ) async throws {
    try await database.transaction(for: job.tenant) { transaction in
      try await JobStore(tenant: job.tenant, transaction: transaction).requireRunning(job.id)
      try await body(ThinEventQueue(tenant: job.tenant, transaction: transaction))
    }
  }

  /// Where an object is read. The address that the event names is not used: what a delivery says decides no path.
  static func path(of object: ThinEvent.RelatedObject) -> [String]? {
    collections[object.type].map { $0 + [object.id] }
  }

  private static let collections: [String: [String]] = [
    "checkout.session": ["checkout", "sessions"], "subscription": ["subscriptions"], "invoice": ["invoices"],
    "invoice_payment": ["invoice_payments"], "payment_intent": ["payment_intents"], "charge": ["charges"],
    "refund": ["refunds"], "dispute": ["disputes"], "radar.early_fraud_warning": ["radar", "early_fraud_warnings"],
    "credit_note": ["credit_notes"], "customer": ["customers"], "product": ["products"], "price": ["prices"],
  ]
}
