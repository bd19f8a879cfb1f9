import Foundation
import Hummingbird
import Identity
import ServerKit
import StripeAPI
import Tenancy

extension AdminRoutes {
  /// Explains why there is a license for an object, or none.
  func explain(_ call: AdminCall) async throws -> Response {
    guard let object = try Self.plausible("object", in: call.query) else {
      throw APIFailure.invalidQuery(field: "object", "is required: any id of Stripe, a fulfillment's or a license's")
    }
    return try Answer.data(try await explainer(call).explain(object), context: call.context)
  }

  /// Processes an object that no event has brought.
  func ingest(_ call: AdminCall) async throws -> Response {
    guard let object = try Self.plausible("object", in: call.query) else {
      throw APIFailure.invalidQuery(field: "object", "is required: the id of something that was sold")
    }
    try await database.transaction(for: call.tenant) { transaction in
      try await AuditLog(tenant: call.tenant, transaction: transaction).add(call.entry("object.take_up", object))
    }
    let explainer = explainer(call)
    let purchase = try await OutsideFailure.translating { try await explainer.ingest(object, by: call.caller.actor) }
    guard purchase != nil else { throw APIFailure.notFound() }
    wakeUp.signal()
    return try Answer.data(try await explainer.explain(object), context: call.context)
  }

  private func explainer(_ call: AdminCall) -> Explainer {
    Explainer(
      database: database, stripe: stripe, clock: clock, tenant: call.tenant,
      isOperator: call.caller == .serviceOperator)
  }
}
