import Hummingbird
import JSON
import LicenseKitAPI
import ServerKit

extension Services {
  /// Answers a `validate` or `check`, and records how it ended.
  ///
  /// - Throws: 401 for an unknown key, before anything else; 400 and 422 for a request that cannot be read; 403 and 404 as
  ///   ``ValidationQuestion/outcome(from:)`` decides.
  func answer(
    _ kind: ValidationQuestion.Kind, _ request: Request, _ context: AppContext
  ) async throws -> SignedAnswer {
    let endpoint: RuntimeEndpoint = kind == .validate ? .validate : .check
    let question = try await question(kind, endpoint, request, context)
    let answer = try await store.translating { try await runtime.validations.answer(question) }
    do {
      let signed = try await runtime.sign(answer, to: question)
      activityRecorder.count(endpoint, tenant: answer.tenant)
      return signed
    } catch {
      note(error, at: endpoint, of: answer.tenant, answer.license, .init(question.binding.request), context)
      throw error
    }
  }

  /// Reads the question. Only a caller with a valid license key is told that a request cannot be read, as for every other
  /// operation.
  private func question(
    _ kind: ValidationQuestion.Kind, _ endpoint: RuntimeEndpoint, _ request: Request, _ context: AppContext
  ) async throws -> ValidationQuestion {
    let (key, host, address) = (request.credential("License"), request.hostName, context.clientAddressText)
    guard let key else { throw APIFailure.licenseKeyRequired }
    do {
      let bytes = try await request.bodyBytes(limit: RuntimeCall.largestBody)
      let body = try RuntimeBindingRequest(plainly: bytes) ?? JSONBody.decode(from: bytes)
      return ValidationQuestion(
        kind: kind, keyHash: Credential.hash(key), host: host, binding: try Binding(body), address: address,
        now: clock.now())
    } catch {
      let (caller, license) = try await authenticator.license(key: key, host: host, address: address)
      note(error, at: endpoint, of: caller.tenant, license, .init(), context)
      throw error
    }
  }

  private func note(
    _ error: any Error, at endpoint: RuntimeEndpoint, of tenant: TenantID, _ license: LicenseID,
    _ facts: RuntimeActivity.RequestFacts, _ context: AppContext
  ) {
    activityRecorder.record(
      RuntimeActivity(
        endpoint: endpoint, tenant: tenant, license: license, outcome: .init(error), requestID: context.requestID,
        facts: facts))
  }
}
