public import HTTPTransport
import Foundation
import ServerKit

/// A message to a receiver whose address somebody else has chosen.
public enum DeliveryRequest {
  /// The longest that one attempt may take.
  public static let deadline: Duration = .seconds(10)
  /// The longest address, in bytes.
  public static let longestURL = 2_000
  /// Of an answer only the status matters.
  static let mostAnswerBytes = 1 << 20

  /// A `POST` of JSON.
  ///
  /// - Parameter destinations: where it may go; looked at on the address that is really connected to, so that a name that
  ///   leads into this service's own network is no way around it.
  public static func post(
    _ body: [UInt8], to url: String, headers: [(String, String)], destinations: AddressPolicy
  ) -> HTTPTransportRequest {
    HTTPTransportRequest(
      method: "POST", url: url, headers: [("Content-Type", "application/json")] + headers, body: body,
      deadline: deadline, maximumResponseBytes: mostAnswerBytes, destinations: destinations)
  }

  /// What is wrong with the address of a receiver, in words that follow the field's name; nil when it can be used. What
  /// a name leads to is not known yet here: that is looked at when it is connected to.
  public static func problem(withURL url: String, destinations: AddressPolicy) -> String? {
    guard url.utf8.count <= longestURL, url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }),
      ServiceURL.normalized(url) != nil, let host = URLComponents(string: url)?.host
    else { return "must be an https URL, without user, password or fragment" }
    return destinations.refuses(host: host) ? "must not lead to this service's own machine or network" : nil
  }
}

extension HTTPSending {
  /// Makes one attempt. Any answer of 200 to 299 means that it arrived; redirects are not followed.
  public func deliver(_ request: HTTPTransportRequest) async -> DeliveryResult {
    do {
      let response = try await send(request)
      switch response.status {
      case 200..<300: return .arrived(status: response.status)
      case 300..<400:
        return .failed("HTTP \(response.status): redirects are not followed", status: response.status)
      case 410: return .failed("HTTP 410", status: 410, isGone: true)
      default:
        return .failed(
          "HTTP \(response.status)", status: response.status, retryAfter: RetryAfter.duration(response.headers))
      }
    } catch {
      switch error {
      case .cancelled, .shutDown: return .cutOff
      // Texts of libcurl, without any of what was sent or answered.
      default: return .failed(error.description)
      }
    }
  }
}
