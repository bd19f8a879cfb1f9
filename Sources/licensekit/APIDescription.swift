import Foundation
import ServerKit

/// The OpenAPI description of everything that `licensekit serve` answers, `docs/openapi.yaml`.
struct APIDescription {
  let bytes: [UInt8]

  /// Reads the file from the folder that also contains the migrations.
  static func read() throws -> APIDescription {
    let path = try ResourceLocator.find("docs/openapi.yaml", environmentOverride: "LICENSEKIT_RESOURCES")
    return APIDescription(bytes: [UInt8](try Data(contentsOf: URL(fileURLWithPath: path))))
  }

  /// `GET /openapi.yaml`, for everybody. The media type is that of RFC 9512.
  func addRoute(to router: AppRouter) {
    router.addFileRoute("openapi.yaml", bytes, contentType: "application/yaml")
  }
}
