import Foundation
import Hummingbird
import Identity
import Logging
import Metrics
import Postgres
import ServerKit
import StripeAPI
import StripeHTTP
import Tenancy

/// The one route through which the Dashboard app changes something.
///
/// Only the signed body chooses the operation, never the path or query. A request is carried out once: before anything is
/// done its nonce is used up and its audit entry written. A refused request with a valid signature is in the audit log as
/// well.
struct AppActions: Sendable {
  let gate: AppGate
  let effects: AppEffects
  let logger: Logger

  func perform(_ request: Request, _ context: AppContext) async throws -> Response {
    let verified = try await gate.counting {
      try await AppActionRequest.verified(request, secrets: gate.secrets, now: gate.clock())
    }
    let asked = try AppActionRequest(verified)
    try await gate.rateLimit.take(asked.tenant.description)
    let caller = AppCaller(user: asked.user, tenant: asked.tenant, requestID: context.requestID)
    do {
      try await admit(asked, caller)
      let summary = try await OutsideFailure.translating { try await effects.perform(asked.action, caller) }
      Counter(label: "stripe_app_actions_total", dimensions: [("operation", asked.action.operation.rawValue)])
        .increment()
      return try Answer.data(
        Done(operation: asked.action.operation, object: asked.object, summary: summary), context: context)
    } catch let failure as APIFailure {
      await noteRefusal(failure, asked, caller)
      throw failure
    }
  }

  /// Uses up the nonce and writes the audit entry, in one transaction and before the effect. So nothing is done that is not
  /// in the audit log.
  private func admit(_ asked: AppActionRequest, _ caller: AppCaller) async throws {
    let operation = asked.action.operation
    try await gate.reading(asked.tenant, signedFor: asked.signedFor) { transaction in
      guard gate.rights.may(operation, asked.roles) else {
        throw APIFailure.forbidden(
          "\(operation.rawValue) needs a role that the signed request does not name", code: "ROLE_NOT_ALLOWED")
      }
      let log = AppRequestLog(tenant: asked.tenant, transaction: transaction)
      guard try await log.use(asked.nonce) else {
        throw APIFailure.conflict("this request was made already: its nonce was used before", code: "NONCE_REPEATED")
      }
      try await AuditLog(tenant: asked.tenant, transaction: transaction)
        .add(caller.entry("app.\(operation.rawValue)", asked.object))
    }
  }

  /// Writes an entry about a refusal. If that fails, the refusal stands nevertheless.
  private func noteRefusal(_ failure: APIFailure, _ asked: AppActionRequest, _ caller: AppCaller) async {
    Counter(label: "stripe_app_refusals_total", dimensions: [("reason", failure.code.lowercased())]).increment()
    do {
      try await gate.database.transaction(for: asked.tenant) { transaction in
        try await AuditLog(tenant: asked.tenant, transaction: transaction)
          .add(
            caller.entry("app.refused", asked.object, detail: "\(asked.action.operation.rawValue): \(failure.code)"))
      }
    } catch {
      logger.error("a refusal could not be written to the audit log", metadata: ["error": "\(type(of: error))"])
    }
  }

  private struct Done: Encodable {
    let operation: AppOperation
    let object: String
    let summary: String
  }
}

/// The person who acts, for the records.
struct AppCaller: Sendable {
  let user: Stripe.UserID
  let tenant: Tenant
  let requestID: String

  /// The person's name in timelines and the audit log: Stripe's id, not a real name.
  var actor: String { "stripe:\(user)" }

  func entry(_ action: String, _ target: String, detail: String? = nil) -> AuditLog.Entry {
    AuditLog.Entry(actor: actor, action: action, target: target, requestID: requestID, detail: detail)
  }
}
