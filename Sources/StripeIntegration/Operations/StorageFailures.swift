public import ServerKit
import Storage

extension IntegrationServer {
  /// What a client is told when the storage behind a route is in trouble. Other errors have no such answer.
  public static func apiFailure(for error: any Error) -> APIFailure? { .storage(error) }
}
