package import Postgres
package import Purchases

extension PostgresError: FailureResponding {
  package func failureResponse(attempts: Int, jitter: Double) -> FailureResponse {
    switch code {
    case .cancelled, .closed: .interrupted
    default: RetryBackoff.response("The database refused: \(codeName).", attempts: attempts, jitter: jitter)
    }
  }
}
