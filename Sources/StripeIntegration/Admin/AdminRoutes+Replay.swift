import Foundation
import HTTPTypes
import Hummingbird
import Identity
import JSON
import Postgres
import Purchases
import ServerKit
import StripeAPI
import Tenancy

// Replays of many purchases or events, and unblocking many connections.

extension AdminRoutes {
  /// Has the purchases of a filter looked at again.
  func replayFulfillments(_ call: AdminCall) async throws -> Response {
    let body = try call.decodeBody(FulfillmentsBody.self)
    let filter = PurchaseFilter(
      status: body.status, reasonContains: body.reasonContains, createdFrom: body.createdFrom,
      createdTo: body.createdTo, object: body.object, mappingID: body.mappingID)
    if let part = filter.reasonContains { try Self.check(part, "reason_contains") }
    for (name, id) in [("object", filter.object), ("mapping_id", filter.mappingID)] {
      guard id.map(StripeIDText.isPlausible) ?? true else { throw APIFailure.validation(field: name, "is not an id") }
    }
    return try await replay(.fulfillments(filter), body.dryRun ?? false, body.cursor, body.limit, call)
  }

  /// Has the events of a filter routed again.
  func replayEvents(_ call: AdminCall) async throws -> Response {
    let body = try call.decodeBody(EventsBody.self)
    if let type = body.type { try Self.check(type, "type") }
    let filter = EventFilter(state: body.state, type: body.type, from: body.from, to: body.to)
    return try await replay(.events(filter), body.dryRun ?? false, body.cursor, body.limit, call)
  }

  private struct FulfillmentsBody: Decodable {
    var status: PurchaseStatus?
    var reasonContains: String?
    var createdFrom: Date?
    var createdTo: Date?
    var object: String?
    var mappingID: String?
    var dryRun: Bool?
    var cursor: String?
    var limit: Int?
  }

  private struct EventsBody: Decodable {
    var state: InboxReader.State?
    var type: String?
    var from: Date?
    var to: Date?
    var dryRun: Bool?
    var cursor: String?
    var limit: Int?
  }

  private struct ReplayView: Encodable {
    let dryRun: Bool
    /// Counted up to 10 000.
    let matched: Int
    let replayed: Int
    /// One page of the matches, in a dry run.
    let items: [Replay.Match]
    @OrNull var nextCursor: String?
    /// The job that replays them if there are many.
    @OrNull var jobID: JobID?
  }

  private static func check(_ text: String, _ field: String) throws(APIFailure) {
    guard (1...200).contains(text.utf8.count), !text.utf8.contains(0) else {
      throw .validation(field: field, "has 1 to 200 bytes")
    }
  }

  private func replay(
    _ subject: ReplaySubject, _ isDry: Bool, _ cursor: String?, _ limit: Int?, _ call: AdminCall
  ) async throws -> Response {
    guard !subject.isEmpty else {
      throw APIFailure.validation(field: "filter", "give at least one condition that narrows the replay")
    }
    let replay = Replay(database: database, tenant: call.tenant)
    let matched = try await replay.count(subject)
    if isDry {
      guard (1...100).contains(limit ?? 25) else { throw APIFailure.validation(field: "limit", "is 1 to 100") }
      let after = try cursor.map { text throws(APIFailure) in
        guard let cursor = TimeCursor(text) else {
          throw .validation(field: "cursor", "is not a next_cursor of this list")
        }
        return cursor
      }
      let page = try await replay.page(subject, after: after, limit: limit ?? 25)
      return try Answer.data(
        ReplayView(
          dryRun: true, matched: matched, replayed: 0, items: page.items, nextCursor: page.next, jobID: nil),
        context: call.context)
    }
    let parameters = try ReplayWork.parameters(subject)
    let entry = call.entry("\(subject.name).replay", subject.name, detail: JSONValue.object(parameters).text())
    guard matched > Replay.mostAtOnce else {
      try await database.transaction(for: call.tenant) { transaction in
        try await AuditLog(tenant: call.tenant, transaction: transaction).add(entry)
      }
      let replayed = try await replay.replayAll(subject, by: call.caller.actor)
      wakeUp.signal()
      return try Answer.data(
        ReplayView(dryRun: false, matched: matched, replayed: replayed, items: [], nextCursor: nil, jobID: nil),
        context: call.context)
    }
    let job: Job
    do {
      job = try await database.transaction(for: call.tenant) { transaction in
        try await AuditLog(tenant: call.tenant, transaction: transaction).add(entry)
        return try await JobStore(tenant: call.tenant, transaction: transaction).create(
          .replay, subject: subject.name, parameters: parameters, counting: ReplayWork.counts, by: call.caller.actor)
      }
    } catch let open as JobStore.AlreadyOpen {
      throw APIFailure.conflict("a replay of \(subject.name) is under way: \(open.job)")
    }
    wakeUp.signal()
    return try Answer.data(
      ReplayView(dryRun: false, matched: matched, replayed: 0, items: [], nextCursor: nil, jobID: job.id),
      status: .accepted, context: call.context)
  }

  // MARK: Connections

  /// Unblocks one connection or, for an operator who names none, all that are blocked for a reason.
  func unblock(_ request: Request, _ context: AppContext) async throws -> Response {
    let asked = try await asked(request)
    guard asked.caller == .serviceOperator, asked.account == nil else {
      return try await unblockConnection(try await call(asked, context))
    }
    try await countRequest(of: asked.caller, about: nil)
    let body = try JSONBody.decode(UnblockBody.self, from: asked.body)
    guard let reason = body.reason else {
      throw APIFailure.validation(field: "reason", "is required, unless account_id and livemode are given")
    }
    var unparked = 0
    var last: Tenant?
    while true {
      let tenants = try await connections.blocked(reason, livemode: asked.livemode, after: last, limit: 100)
      for tenant in tenants {
        let call = AdminCall(
          caller: asked.caller, tenant: tenant, query: request.query, body: JSONObject(), context: context)
        try await database.transaction(for: tenant) { transaction in
          try await AuditLog(tenant: tenant, transaction: transaction)
            .add(call.entry("connection.unpark", tenant.description, detail: "all of \(reason.rawValue)"))
        }
        if try await connections.unblock(tenant) { unparked += 1 }
      }
      last = tenants.last
      if tenants.count < 100 { break }
    }
    wakeUp.signal()
    return try Answer.data(Unblocked(unparked: unparked), context: context)
  }

  private struct UnblockBody: Decodable { var reason: TenantUnavailable.Reason? }
  private struct Unblocked: Encodable { let unparked: Int }
}
