import Foundation
import Hummingbird
import Identity
import JSON
import Postgres
import ServerKit
import StripeAPI
import Tenancy

// Long work: what is running, how far it has come, and what it found.

extension AdminRoutes {
  func listJobs(_ call: AdminCall) async throws -> Response {
    let request = try PageRequest(call.query)
    let cursor = try request.time()
    let filter = JobStore.Filter(kind: try call.query.value("kind"), state: try call.query.value("state"))
    let page = try await database.transaction(for: call.tenant) { transaction in
      try await JobStore(tenant: call.tenant, transaction: transaction)
        .list(filter, after: cursor, limit: request.limit + 1)
    }.page(request.limit) { $0.cursor.text }
    return try Answer.page(page.items.map { JobView($0.job) }, nextCursor: page.next, context: call.context)
  }

  func getJob(_ call: AdminCall) async throws -> Response {
    let id = JobID(try call.id("id"))
    let job = try await database.transaction(for: call.tenant) { transaction in
      try await JobStore(tenant: call.tenant, transaction: transaction).get(id)
    }
    guard let job else { throw APIFailure.notFound() }
    return try Answer.data(JobView(job), context: call.context)
  }

  /// Cancels a job. What it has done stays.
  func cancelJob(_ call: AdminCall) async throws -> Response {
    let id = JobID(try call.id("id"))
    let job = try await database.transaction(for: call.tenant) { transaction -> Job? in
      let jobs = JobStore(tenant: call.tenant, transaction: transaction)
      guard let job = try await jobs.cancel(id, by: call.caller.actor) else { return nil }
      try await AuditLog(tenant: call.tenant, transaction: transaction).add(call.entry("job.cancel", id.rawValue))
      return job
    }
    guard let job else { throw APIFailure.notFound() }
    return try Answer.data(JobView(job), context: call.context)
  }

  /// What a job found out about each object.
  func getJobReport(_ call: AdminCall) async throws -> Response {
    let id = JobID(try call.id("id"))
    let request = try PageRequest(call.query)
    let after = try request.number()
    let outcome = try call.query.string("outcome", maximumLength: 100)
    let page = try await database.transaction(for: call.tenant) {
      transaction -> (items: [JobReport.Shown], next: String?)? in
      guard try await JobStore(tenant: call.tenant, transaction: transaction).get(id) != nil else { return nil }
      let found = try await JobReport(tenant: call.tenant, job: id, transaction: transaction)
        .page(outcome: outcome, after: after, limit: request.limit + 1)
        .page(request.limit) { PageCursor.encode(String($0.number)) }
      return (found.items.map(\.entry), found.next)
    }
    guard let page else { throw APIFailure.notFound() }
    return try Answer.page(page.items, nextCursor: page.next, context: call.context)
  }
}

/// A job as the admin routes show it.
struct JobView: Encodable, Sendable {
  let id: JobID
  let accountID: Stripe.AccountID
  let livemode: Bool
  let kind: JobKind
  @OrNull var subject: String?
  let state: JobState
  let parameters: JSONObject
  let progress: JSONObject
  @OrNull var reason: String?
  let requestedBy: String
  let createdAt: Date
  @OrNull var startedAt: Date?
  let updatedAt: Date
  @OrNull var finishedAt: Date?

  init(_ job: Job) {
    id = job.id
    accountID = job.tenant.account
    livemode = job.tenant.livemode
    kind = job.kind
    subject = job.subject.isEmpty ? nil : job.subject
    state = job.state
    parameters = job.parameters
    progress = job.progress.object
    reason = job.reason
    requestedBy = job.requestedBy
    createdAt = job.createdAt
    startedAt = job.startedAt
    updatedAt = job.updatedAt
    finishedAt = job.finishedAt
  }
}
