import Foundation
import Hummingbird
import ServerKit

extension AdminRoutes {
  /// A link that installs the app once, with a LicenseKit of the vendor's own: the operator's to give. The answer is the only
  /// place that shows it.
  func createInstallLink(_ request: Request, _ context: AppContext) async throws -> Response {
    let caller = try await caller(of: request)
    try await countRequest(of: caller, about: nil)
    guard caller == .serviceOperator else { throw APIFailure.forbidden("only the operator makes links") }
    let asked = try await request.decodeBody(InstallLinkBody.self, limit: 1 << 14)
    guard
      let licenseKit = try LicenseKitBody(baseURL: asked.baseURL, token: asked.token)
        .checked(isOperator: true, destinations: delivery.destinations)
    else { throw APIFailure.validation(field: "token", "is required, in printable ASCII") }
    let link = try await installLinks.create(
      licensekitBaseURL: licenseKit.baseURL, licensekitToken: licenseKit.token, livemode: asked.livemode)
    return try Answer.data(
      InstallLinkView(url: link.url, expiresAt: link.expiresAt), status: .created, context: context)
  }

  private struct InstallLinkBody: Decodable {
    var baseURL: String?
    var token: String?
    var livemode: Bool?
  }

  private struct InstallLinkView: Encodable {
    let url: String
    let expiresAt: Date
  }
}
