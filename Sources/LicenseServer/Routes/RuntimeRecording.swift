import Foundation
import ServerKit
import Synchronization

extension Services {
  /// Records how a runtime operation ends, and passes on its answer or its error.
  ///
  /// - Parameter endpoint: nil for a route that is not in the contract, for which nothing is recorded.
  func recording<T>(
    _ endpoint: RuntimeEndpoint?, _ call: RuntimeCall, _ context: AppContext, _ body: () async throws -> T
  ) async throws -> T {
    guard let endpoint else { return try await body() }
    func record(_ outcome: RuntimeActivity.Outcome) {
      activityRecorder.record(
        RuntimeActivity(
          endpoint: endpoint, tenant: call.caller.tenant, license: call.license, outcome: outcome,
          requestID: context.requestID, facts: call.noted.facts))
    }
    do {
      let answer = try await body()
      record(.success)
      return answer
    } catch {
      record(RuntimeActivity.Outcome(error))
      throw error
    }
  }
}

/// What a request's body said, once it was read.
final class RequestNote: Sendable {
  private let kept = Mutex(RuntimeActivity.RequestFacts())

  func note(_ body: any Sendable) {
    let facts = RuntimeActivity.RequestFacts(body)
    kept.withLock { $0 = facts }
  }

  var facts: RuntimeActivity.RequestFacts { kept.withLock { $0 } }
}
