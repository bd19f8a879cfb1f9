import Foundation
import Hummingbird
import ServerKit

extension AdminRoutes {
  /// A link that installs the app once, with a LicenseKit of the vendor's own: the operator's to give. The answer is the only
  /// place that shows it.
  func createInstallLink(_ request: Request, _ context: AppContext) async throws -> Response {
    let asked = try await asked(request)
    try await countRequest(of: asked.caller, about: nil)
    guard asked.caller == .serviceOperator else { throw APIFailure.forbidden("only the operator makes links") }
    guard asked.account == nil else {
      throw APIFailure.validation(field: "account_id", "must be left out: the first account that uses the link has it")
    }
    let body = try AdminCall.decode(LicenseKitBody.self, from: asked.body)
    guard let licenseKit = try body.checked(isOperator: true, destinations: delivery.destinations) else {
      throw APIFailure.validation(field: "token", "is required, in printable ASCII")
    }
    let link = try await installLinks.create(
      licensekitBaseURL: licenseKit.baseURL, licensekitToken: licenseKit.token, livemode: asked.livemode)
    return try Answer.data(
      InstallLinkView(url: link.url, expiresAt: link.expiresAt), status: .created, context: context)
  }

  private struct InstallLinkView: Encodable {
    let url: String
    let expiresAt: Date
  }
}
