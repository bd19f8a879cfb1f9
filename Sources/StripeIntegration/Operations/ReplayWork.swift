import Foundation
import Identity
import JSON
import Postgres
import ServerKit
import StripeAPI
import Tenancy

/// What to look at, or route, again.
enum ReplaySubject: Hashable, Sendable {
  case fulfillments(PurchaseFilter)
  case events(EventFilter)

  var name: String {
    switch self {
    case .fulfillments: "fulfillments"
    case .events: "events"
    }
  }

  var isEmpty: Bool {
    switch self {
    case .fulfillments(let filter): filter.isEmpty
    case .events(let filter): filter.isEmpty
    }
  }
}

/// Replays by filter: a few at once, many as a job.
struct Replay: Sendable {
  /// A larger number is replayed by a job.
  static let mostAtOnce = 500
  static let batch = 200
  /// Counting stops here.
  static let mostCounted = 10_000

  let database: TenantDatabase
  let tenant: Tenant

  struct Match: Encodable, Sendable {
    let id: String
    /// For a fulfillment, the Stripe object at its root; for an event, its type.
    let about: String
    let status: String
    @OrNull var reason: String?
  }

  struct Page: Sendable {
    let items: [Match]
    let next: String?
  }

  func count(_ subject: ReplaySubject) async throws -> Int {
    try await database.transaction(for: tenant) { transaction in
      switch subject {
      case .fulfillments(let filter):
        try await PurchaseReplay(filter: filter, tenant: tenant, transaction: transaction).count(upTo: Self.mostCounted)
      case .events(let filter):
        try await EventReplay(filter: filter, tenant: tenant, transaction: transaction).count(upTo: Self.mostCounted)
      }
    }
  }

  func page(_ subject: ReplaySubject, after cursor: TimeCursor?, limit: Int) async throws -> Page {
    try await database.transaction(for: tenant) { transaction in
      switch subject {
      case .fulfillments(let filter):
        let found = try await PurchaseReplay(filter: filter, tenant: tenant, transaction: transaction)
          .page(after: cursor, limit: limit + 1).page(limit) { $0.cursor.text }
        return Page(
          items: found.items.map {
            Match(id: $0.id.rawValue, about: $0.stripeID, status: $0.status, reason: $0.reason)
          }, next: found.next)
      case .events(let filter):
        let found = try await EventReplay(filter: filter, tenant: tenant, transaction: transaction)
          .page(after: cursor, limit: limit + 1).page(limit) { $0.cursor.text }
        return Page(
          items: found.items.map { Match(id: $0.id, about: $0.type, status: $0.state, reason: $0.outcome) },
          next: found.next)
      }
    }
  }

  /// Replays the next batch.
  /// - Returns: how many were replayed, and where the next batch begins; nil at the end.
  func replay(
    _ subject: ReplaySubject, after cursor: TimeCursor?, by actor: String
  ) async throws -> (count: Int, next: TimeCursor?) {
    try await database.transaction(for: tenant) { transaction in
      switch subject {
      case .fulfillments(let filter):
        try await TenantLock.take(tenant, in: transaction)
        let replay = PurchaseReplay(filter: filter, tenant: tenant, transaction: transaction)
        let found = try await replay.page(after: cursor, limit: Self.batch)
        try await replay.requestReconcile(of: found.map(\.id), by: actor)
        return (found.count, found.count == Self.batch ? found.last?.cursor : nil)
      case .events(let filter):
        let replay = EventReplay(filter: filter, tenant: tenant, transaction: transaction)
        let found = try await replay.page(after: cursor, limit: Self.batch)
        try await replay.reopen(found.map(\.id))
        return (found.count, found.count == Self.batch ? found.last?.cursor : nil)
      }
    }
  }

  /// Replays all of them.
  func replayAll(_ subject: ReplaySubject, by actor: String) async throws -> Int {
    var (total, cursor) = (0, TimeCursor?.none)
    repeat {
      let done = try await replay(subject, after: cursor, by: actor)
      total += done.count
      cursor = done.next
    } while cursor != nil
    return total
  }
}

/// A replay of many, batch after batch.
struct ReplayWork: JobWork {
  static let counts = ["replayed"]

  let database: TenantDatabase
  let wakeUp: WakeUp

  static func parameters(_ subject: ReplaySubject) throws -> JSONObject {
    let filter =
      switch subject {
      case .fulfillments(let filter): try JSONCoding.encode(filter)
      case .events(let filter): try JSONCoding.encode(filter)
      }
    return JSONObject([("what", .string(subject.name)), ("filter", filter)])
  }

  private static func subject(_ parameters: JSONObject) throws -> ReplaySubject {
    let filter = parameters["filter"] ?? .object(JSONObject())
    switch parameters["what"]?.string {
    case "fulfillments": return .fulfillments(try JSONCoding.decode(PurchaseFilter.self, from: filter))
    case "events": return .events(try JSONCoding.decode(EventFilter.self, from: filter))
    default: throw JobFailure(reason: "The job does not say what to replay. Request the replay again.")
    }
  }

  func step(_ job: Job) async throws -> JobStep {
    let done = try await Replay(database: database, tenant: job.tenant).replay(
      try Self.subject(job.parameters), after: job.cursor?.string.flatMap { TimeCursor($0) }, by: job.requestedBy)
    wakeUp.signal()
    let counts = ["replayed": done.count]
    return done.next.map { .more(cursor: .string($0.text), counts: counts) } ?? .done(counts: counts)
  }
}
