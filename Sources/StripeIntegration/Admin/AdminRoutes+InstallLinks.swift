import Foundation
import Hummingbird
import ServerKit
import StripeAPI

extension AdminRoutes {
  /// Makes a link that installs the app once, with a LicenseKit of the vendor's own. Only the operator may make one, and only
  /// the answer shows it.
  func createInstallLink(_ request: Request, _ context: AppContext) async throws -> Response {
    let asked = try await asked(request)
    try await countRequest(of: asked.caller, about: nil)
    guard asked.caller == .serviceOperator else { throw APIFailure.forbidden("only the operator makes links") }
    guard asked.account == nil else {
      throw APIFailure.validation(field: "account_id", "must be left out: the first account to use the link gets it")
    }
    let body = try JSONBody.decode(InstallLinkBody.self, from: asked.body)
    let environment = body.environment ?? asked.livemode.map(StripeEnvironment.init(livemode:))
    guard asked.livemode ?? environment?.livemode == environment?.livemode else {
      throw APIFailure.validation(field: "environment", "must be of the mode that livemode names")
    }
    guard let licenseKit = try body.licenseKit.checked(isOperator: true, destinations: delivery.destinations) else {
      throw APIFailure.validation(field: "token", "is required, in printable ASCII")
    }
    let link = try await installLinks.create(
      licensekitBaseURL: licenseKit.baseURL, licensekitToken: licenseKit.token, environment: environment)
    return try Answer.data(
      InstallLinkView(url: link.url, expiresAt: link.expiresAt), status: .created, context: context)
  }

  private struct InstallLinkBody: Decodable {
    var baseURL: String?
    var token: String?
    var environment: StripeEnvironment?

    var licenseKit: LicenseKitBody { LicenseKitBody(baseURL: baseURL, token: token) }
  }

  private struct InstallLinkView: Encodable {
    let url: String
    let expiresAt: Date
  }
}
