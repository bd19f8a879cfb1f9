import Foundation
import LicenseKitAPI
import StripeAPI

extension Outage {
  /// The answers of something that stands in front of a server which is away, or that it gives when it is too busy for
  /// anybody. A 500 may be about the one request that it answers.
  package static let statuses: Set<Int> = [429, 502, 503, 504]

  /// What breaks on the way to a server that does not answer (the transport's own codes): not what was given up here, and not what
  /// is wrong with one answer.
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
      // This service's own measure of calls is full: no sign that Stripe is in trouble.
      case .rateLimited("budget", _): return nil
      case .rateLimited(_, let after):
        self.init(side: .stripe, detail: error.description, atLeast: Self.seconds(after))
      default: return nil
      }
    default: return nil
    }
  }

  /// No longer than an hour: whoever asks for more is asked again all the same.
  private static func seconds(_ duration: Duration?) -> TimeInterval {
    min(duration.map { $0 / .seconds(1) } ?? 0, RetryPause.longest)
  }
}
