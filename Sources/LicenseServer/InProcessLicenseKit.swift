import HTTPTypes
import LicenseKitAPI
import ServerKit

/// ``LicenseKitAPI/LicenseKitClient`` on a server in the same process: the same services, scopes and errors as over HTTP,
/// without a network between.
package struct InProcessLicenseKit: Sendable {
  let services: Services
  let credential: Credential

  enum Credential: Sendable {
    case token(String)
    case caller(Caller)
  }

  private func caller() async throws -> Caller {
    switch credential {
    case .caller(let caller): caller
    case .token(let token): try await services.authenticator.management(token: token, host: nil, address: "127.0.0.1")
    }
  }

  /// Runs an operation for the caller, and turns what goes wrong into what a client over HTTP would see.
  func call<T>(
    _ operation: ManagementOperation, _ body: (Caller) async throws -> T
  ) async throws(LicenseKitError) -> T {
    try await unscoped { caller in
      try caller.authorize(operation)
      return try await body(caller)
    }
  }

  /// The same for an operation that needs no scope.
  func unscoped<T>(_ body: (Caller) async throws -> T) async throws(LicenseKitError) -> T {
    do {
      return try await body(try await caller())
    } catch let failure as APIFailure {
      throw LicenseKitError(
        status: failure.status.code, code: failure.code, message: failure.message, detail: failure.detail)
    } catch let error as LicenseKitError {
      throw error
    } catch is CancellationError {
      throw LicenseKitError(transport: "cancelled", message: "the call was cancelled", mayHaveTakenEffect: true)
    } catch {
      throw LicenseKitError(status: 500, code: "INTERNAL_ERROR", message: "Something went wrong on our side.")
    }
  }
}
