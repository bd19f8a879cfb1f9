import Foundation
import HTTPTypes
import Hummingbird
import Identity
import JSON
import Postgres
import ServerKit
import Tenancy

// Catching up with sales from before the app was installed, and with events that webhooks lost.

extension AdminRoutes {
  /// Starts a backfill of existing sales as the vendor chooses, or reports what it would do.
  func startBackfill(_ call: AdminCall) async throws -> Response {
    let body = try call.decodeBody(BackfillBody.self)
    let choice = try body.checked(now: clock())
    return try await start(
      .backfill, subject: "", choice.parameters, counting: BackfillOutcome.counts,
      audit: choice.isDryRun ? "backfill.dry_run" : "backfill.start", call)
  }

  /// Reads Stripe's list of events now.
  func startEventSync(_ call: AdminCall) async throws -> Response {
    try await start(
      .eventSync, subject: "asked", EventSyncWork.parameters.asked, counting: EventSyncWork.counts,
      audit: "sweep.start", call)
  }

  private func start(
    _ kind: JobKind, subject: String, _ parameters: JSONObject, counting names: [String], audit action: String,
    _ call: AdminCall
  ) async throws -> Response {
    guard try await connections.connection(of: call.tenant)?.status == .connected else {
      throw APIFailure(
        .conflict, code: "ACCOUNT_NOT_CONNECTED", message: "The account has not installed the app.",
        detail: "install it first: /stripe/oauth/install")
    }
    let job: Job
    do {
      job = try await database.transaction(for: call.tenant) { transaction in
        let job = try await JobStore(tenant: call.tenant, transaction: transaction)
          .create(kind, subject: subject, parameters: parameters, counting: names, by: call.caller.actor)
        try await AuditLog(tenant: call.tenant, transaction: transaction)
          .add(call.entry(action, job.id.rawValue, detail: JobStore.text(parameters)))
        return job
      }
    } catch let open as JobStore.AlreadyOpen {
      throw APIFailure(
        .conflict, code: "CONFLICT", message: "Such a job is running already.",
        detail: "see or cancel \(open.job) first")
    }
    return try Answer.data(JobView(job), status: .accepted, context: call.context)
  }

  private struct BackfillBody: Decodable {
    var subscriptions: String
    var paidSessionsSince: Date?
    var paidInvoices: Bool?
    var dryRun: Bool?

    func checked(now: Date) throws(APIFailure) -> BackfillChoice {
      guard let subscriptions = BackfillChoice.Subscriptions(rawValue: subscriptions) else {
        throw .validation(field: "subscriptions", "must be active or none")
      }
      if let paidSessionsSince, paidSessionsSince > now {
        throw .validation(field: "paid_sessions_since", "must not be in the future")
      }
      if paidInvoices == true, paidSessionsSince == nil {
        throw .validation(field: "paid_invoices", "needs paid_sessions_since, which says how far back to read")
      }
      if subscriptions == .none, paidSessionsSince == nil {
        throw .validation(field: "subscriptions", "is none, and there is no paid_sessions_since: nothing to read")
      }
      return BackfillChoice(
        subscriptions: subscriptions, paidSessionsSince: paidSessionsSince, paidInvoices: paidInvoices, dryRun: dryRun)
    }
  }
}
