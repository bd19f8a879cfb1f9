import Hummingbird
import ServerKit

extension AdminRoutes {
  private var buyers: BuyerRequests { BuyerRequests(database: database, licenseKit: licenseKit) }

  /// Exports everything that is stored about a buyer who asks for it.
  func exportBuyer(_ call: AdminCall) async throws -> Response {
    let export = try await OutsideFailure.translating {
      try await buyers.export(try call.id("id"), of: call.tenant) { call.entry("buyer.export", $0) }
    }
    guard let export else { throw APIFailure.notFound() }
    return try Answer.data(export, context: call.context)
  }

  /// Removes the name and addresses of a buyer who asks to be forgotten.
  func eraseBuyer(_ call: AdminCall) async throws -> Response {
    let erasure = try await OutsideFailure.translating {
      try await buyers.erase(try call.id("id"), of: call.tenant) { call.entry("buyer.erase", $0) }
    }
    guard let erasure else { throw APIFailure.notFound() }
    return try Answer.data(erasure, context: call.context)
  }
}
