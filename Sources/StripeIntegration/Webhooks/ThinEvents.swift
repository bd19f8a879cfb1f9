import Foundation
import Identity
import JSON
import Logging
import Postgres
import Purchases
import Queue
import ServerKit
import StripeAPI
import StripeHTTP
import Tenancy

/// Asks Stripe for the objects of thin events, under the claims of their tenants' queues, and turns each into the equivalent
/// snapshot event. From then on they are handled like all others.
///
/// If several events are about one object, it is asked for once. Stripe's answer is at least as new as every event that
/// existed before the question.
struct ThinEvents: Sendable {
  let database: TenantDatabase
  let stripe: any StripeAccess
  let recent: RecentEvents
  let wakeUp: WakeUp
  let logger: Logger
  let policy = FailurePolicy()

  /// How many events one claim looks at.
  static let batch = 40
  /// How many calls run at a time.
  static let width = 4

  /// The outcome of a claim.
  struct Served: Sendable {
    /// How many events got their object.
    var completed = 0
    /// Stripe is down: further calls would only fail too.
    var outage: Outage?
  }

  /// The events of one object. Events without an object are asked for one by one.
  private struct Group: Sendable {
    let key: String
    var events: [(row: String, event: ThinEvent)]
    var attempts: Int
  }

  /// - Throws: `TenantUnavailable` if nothing can be asked for until a person acts; failures of the database.
  func serve(_ tenant: Tenant) async throws -> Served {
    let due = try await database.transaction(for: tenant) { transaction in
      try await ThinEventQueue(tenant: tenant, transaction: transaction).due(limit: Self.batch)
    }
    guard !due.isEmpty else { return Served() }
    let (groups, unreadable) = Self.groups(of: due)
    if !unreadable.isEmpty {
      try await change(tenant) { try await $0.fail(unreadable, reason: "The event cannot be read.") }
    }
    var served = Served()
    var unavailable: TenantUnavailable?
    try await BoundedWork.run(through: groups, width: Self.width) { group in
      try await look(at: group, tenant)
    } goesOn: { looked in
      switch looked {
      case .completed(let count): served.completed += count
      case .outage(let outage): served.outage = served.outage ?? outage
      case .blocked(let reason): unavailable = unavailable ?? reason
      case .other: break
      }
      return served.outage == nil && unavailable == nil
    }
    wakeUp.signal()
    if let unavailable { throw unavailable }
    return served
  }

  private static func groups(of due: [ThinEventQueue.Waiting]) -> (groups: [Group], unreadable: [String]) {
    var groups: [Group] = []
    var unreadable: [String] = []
    for row in due {
      guard case .thin(let event)? = try? DeliveredEvent(parsing: Array(row.body.utf8)) else {
        unreadable.append(row.id)
        continue
      }
      let key = event.relatedObject.map { "\($0.type)/\($0.id)" } ?? row.id
      if let known = groups.firstIndex(where: { $0.key == key }) {
        groups[known].events.append((row.id, event))
        groups[known].attempts = max(groups[known].attempts, row.attempts)
      } else {
        groups.append(Group(key: key, events: [(row.id, event)], attempts: row.attempts))
      }
    }
    return (groups, unreadable)
  }

  private enum Looked: Sendable {
    case completed(Int)
    case outage(Outage)
    case blocked(TenantUnavailable)
    /// It failed, or is asked for again by itself.
    case other
  }

  /// - Throws: failures of the database. The failure of one object is recorded with its events.
  private func look(at group: Group, _ tenant: Tenant) async throws -> Looked {
    let rows = group.events.map(\.row)
    let found: Found
    do {
      found = try await ask(for: group, tenant)
    } catch let error as PostgresError {
      throw error
    } catch {
      return try await handle(error, group, tenant)
    }
    ClaimProgress.note?()
    let failed = rows.filter { found.bodies[$0] == nil }
    try await change(tenant) { queue in
      try await queue.complete(found.bodies)
      try await queue.fail(failed, reason: "The object cannot be read from Stripe: \(found.reason)")
    }
    guard !failed.isEmpty else { return .completed(found.bodies.count) }
    await recent.invalidate(tenant)
    logger.warning(
      "the object of a thin event cannot be read", metadata: ["tenant": "\(tenant)", "count": "\(failed.count)"])
    return .completed(found.bodies.count)
  }

  private func handle(_ error: any Error, _ group: Group, _ tenant: Tenant) async throws -> Looked {
    let rows = group.events.map(\.row)
    // The routing of the event counted as an attempt.
    let failure = policy.failure(error, attempts: max(0, group.attempts - 1), jitter: .random(in: 0..<1))
    switch failure {
    case .outage(let outage, let backoff):
      try await change(tenant) { try await $0.postpone(rows, for: backoff, reason: outage.detail) }
      return .outage(outage)
    case .response(.block(let unavailable)): return .blocked(unavailable)
    case .response(.retry(let backoff, let reason)):
      try await change(tenant) { try await $0.postpone(rows, for: backoff, reason: reason) }
    case .response(.fail(let reason)), .gone(let reason):
      await recent.invalidate(tenant)
      try await change(tenant) { try await $0.fail(rows, reason: reason) }
    case .response(.interrupted), .response(.yield): break
    }
    return .other
  }

  // MARK: Asking

  private struct Found: Sendable {
    /// By the id of the event in the inbox.
    var bodies: [String: String] = [:]
    /// Why the other events have no body.
    var reason = "the event names none"
  }

  private func ask(for group: Group, _ tenant: Tenant) async throws -> Found {
    let calls = StripeCalls(stripe: stripe, tenant: tenant)
    var found = Found()
    if let object = group.events.first?.event.relatedObject, let path = Self.path(of: object) {
      do {
        let answer = try await calls.run { try await $0.get(path) }
        for (row, event) in group.events {
          found.bodies[row] = event.snapshot(of: answer.value, version: StripeClient.defaultVersion).text()
        }
      } catch let error as StripeError where Self.isFinal(error) {
        found.reason = error.description
      }
    }
    // If an object is gone or may not be read, the snapshot event still contains it.
    for (row, event) in group.events where found.bodies[row] == nil && event.hasSnapshotEvent {
      do {
        let answer = try await calls.run { try await $0.event(event.id) }
        found.bodies[row] = ListedEvent(answer.value, of: tenant)?.body
      } catch let error as StripeError where Self.isFinal(error) {
        found.reason = error.description
      }
    }
    return found
  }

  /// Whether asking again brings the same answer.
  private static func isFinal(_ error: StripeError) -> Bool {
    error.retry == .notFound || error.retry == .permission || error.retry == .invalid
  }

  private func change(_ tenant: Tenant, _ body: @Sendable (ThinEventQueue) async throws -> Void) async throws {
    try await database.transaction(for: tenant, attempts: 3) { transaction in
      try await body(ThinEventQueue(tenant: tenant, transaction: transaction))
    }
  }

  /// Where an object is read. The address in the event is not used: a delivery must not decide which path is called.
  static func path(of object: ThinEvent.RelatedObject) -> [String]? {
    collections[object.type].map { $0 + [object.id] }
  }

  /// A fraud warning is read from its event: the app asks for no permission to read the object itself.
  static let collections: [String: [String]] = [
    "checkout.session": ["checkout", "sessions"], "subscription": ["subscriptions"], "invoice": ["invoices"],
    "invoice_payment": ["invoice_payments"], "payment_intent": ["payment_intents"], "charge": ["charges"],
    "refund": ["refunds"], "dispute": ["disputes"],
    "credit_note": ["credit_notes"], "customer": ["customers"], "product": ["products"], "price": ["prices"],
  ]
}
