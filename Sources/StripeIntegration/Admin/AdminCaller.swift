import Foundation
import Hummingbird
import Identity
import JSON
import ServerKit
import StripeAPI
import Tenancy

/// The caller of an admin route.
enum AdminCaller: Hashable, Sendable {
  /// The operator of the service, who names a tenant in each request.
  case serviceOperator
  /// A vendor with a token of its own, which gives access to that vendor alone.
  case vendor(Tenant, tokenName: String)

  /// How the audit log names the caller.
  var actor: String {
    switch self {
    case .serviceOperator: "operator"
    case .vendor(_, let name): "token:\(name)"
    }
  }

  /// The tenant that a request is about.
  ///
  /// - Parameters:
  ///   - account: `account_id` as the request names it.
  ///   - livemode: as the request names it.
  /// - Throws: 400 `INVALID_QUERY` if the operator leaves one out; 403 if a vendor names another tenant.
  func tenant(account: String?, livemode: Bool?) throws(APIFailure) -> Tenant {
    switch self {
    case .serviceOperator:
      guard let account else { throw .invalidQuery(field: "account_id", "is required with the operator's token") }
      guard let livemode else { throw .invalidQuery(field: "livemode", "is required with the operator's token") }
      guard account.hasPrefix("acct_"), StripeIDText.isPlausible(account) else {
        throw .invalidQuery(field: "account_id", "must be the id of a Stripe account, such as acct_1")
      }
      return Tenant(account: Stripe.AccountID(account), livemode: livemode)
    case .vendor(let tenant, _):
      guard account ?? tenant.account.rawValue == tenant.account.rawValue,
        livemode ?? tenant.livemode == tenant.livemode
      else { throw .forbidden("this token belongs to another account or mode") }
      return tenant
    }
  }
}

/// One authenticated request to an admin route, about one tenant.
struct AdminCall: Sendable {
  let caller: AdminCaller
  let tenant: Tenant
  let query: QueryReader
  /// The fields of the JSON body without those that name the tenant; empty if there is no body.
  let body: JSONObject
  let context: AppContext

  /// Decodes the body strictly; see `Request.decodeBody`.
  func decodeBody<T: Decodable>(_ type: T.Type = T.self) throws(APIFailure) -> T {
    try JSONBody.decode(type, from: body)
  }

  /// A path parameter that names a record. A text that cannot be an id gives 404.
  func id(_ parameter: String) throws -> String {
    let text = try context.pathParameter(parameter)
    guard StripeIDText.isPlausible(text) else { throw APIFailure.notFound() }
    return text
  }

  /// An audit entry in this caller's name.
  func entry(_ action: String, _ target: String, detail: String? = nil) -> AuditLog.Entry {
    AuditLog.Entry(
      actor: caller.actor, action: action, target: target, requestID: context.requestID, detail: detail)
  }
}
