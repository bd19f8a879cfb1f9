import Postgres
import Redis
public import ServerKit

extension APIFailure {
  /// The answer to a caller if the storage behind a route fails. Nil for a fault of this program: that is a 500, and the log
  /// has the reason.
  ///
  /// Code that gives a constraint a meaning of its own must answer for it before this is called.
  public static func storage(_ error: any Error) -> APIFailure? {
    switch error {
    case let error as PostgresError: database(error)
    case let error as RedisError: redis(error)
    default: nil
    }
  }

  private static func database(_ error: PostgresError) -> APIFailure? {
    switch error.meaning {
    case .away: away("The database does not answer.", after: .seconds(2))
    case .conflict: away("Another request was in the way.", after: .seconds(1))
    case .cancelled: away("The request was given up.", after: .seconds(1))
    case .rights: away("The database refuses this service; its operator must act.", after: .seconds(30))
    case .value where error.code == .encoding: .validation("a text contains a character that cannot be stored")
    case .value: .validation("a value cannot be stored")
    case .reference: .conflict("the record is referred to by others, or refers to one that is gone")
    case .duplicate: .conflict("there is such a record already")
    case .fault: nil
    }
  }

  private static func redis(_ error: RedisError) -> APIFailure? {
    switch error {
    case .unavailable, .timeout, .overloaded, .server: away("Redis does not answer.", after: .seconds(2))
    case .unexpectedReply, .invalidArgument: nil
    }
  }

  private static func away(_ detail: String, after pause: Duration) -> APIFailure {
    .unavailable(detail, code: "STORAGE_UNAVAILABLE", retryAfter: pause)
  }
}
