import Foundation
import LicenseKitAPI
import StripeAPI

extension Outage {
  /// The answers of a proxy whose server is down, or of a server that is too busy for any request. A 500 may concern only the
  /// one request that it answers.
  package static let statuses: Set<Int> = [429, 502, 503, 504]

  /// The transport's own codes for a call to a server that does not answer. Calls that we gave up, and single bad answers,
  /// are not among them.
  static let transportCodes: Set<String> = [
    "connection", "tls", "connect_timeout", "timeout", "connection_lost", "invalid_response",
  ]

  package init?(_ error: any Error) {
    switch error {
    case let error as LicenseKitError:
      let isAway =
        error.status.map { Self.statuses.contains($0) }
        ?? Self.transportCodes.contains { error.code == "TRANSPORT_\($0.uppercased())" }
      guard error.retry == .later, isAway else { return nil }
      self.init(side: .licenseKit, detail: error.description, atLeast: Self.seconds(error.retryAfter))
    case let error as StripeError:
      switch error.retry {
      case .retry(let after):
        let broke = error.transportCode.map { Self.transportCodes.contains($0) } ?? false
        guard broke || error.status.map({ Self.statuses.contains($0) }) ?? false else { return nil }
        self.init(side: .stripe, detail: error.description, atLeast: Self.seconds(after))
      // Our own rate limit is used up, which is no sign of trouble at Stripe.
      case .rateLimited("budget", _): return nil
      case .rateLimited(_, let after):
        self.init(side: .stripe, detail: error.description, atLeast: Self.seconds(after))
      default: return nil
      }
    default: return nil
    }
  }

  /// An hour at most: a server that asks for a longer pause is called again after an hour nevertheless.
  private static func seconds(_ duration: Duration?) -> TimeInterval {
    min(duration.map { $0 / .seconds(1) } ?? 0, RetryBackoff.longest)
  }
}
