import Postgres
import Redis
public import ServerKit

extension IntegrationServer {
  /// What a client is told when the storage behind a route is in trouble: to come again. Other errors have no such
  /// answer.
  public static func apiFailure(for error: any Error) -> APIFailure? {
    switch error {
    case let error as PostgresError where error.isRetryable || [.timeout, .closed, .overloaded].contains(error.code):
      .unavailable("The database does not answer.", retryAfter: .seconds(2))
    case is RedisError: .unavailable("Redis does not answer.", retryAfter: .seconds(2))
    default: nil
    }
  }
}
