import HTTPTransport
import ServerKit

/// The LicenseKit that a request names for a connection.
struct LicenseKitBody: Decodable {
  var baseURL: String?
  var token: String?

  /// Whether the request means the service's own LicenseKit: it gives no address, or one of that server's addresses, in any
  /// spelling and with any path.
  func means(_ origins: [HTTPOrigin]) -> Bool {
    guard let baseURL, !baseURL.allSatisfy(\.isWhitespace) else { return true }
    return HTTPOrigin(baseURL).map { origins.contains($0) } ?? false
  }

  func checked(
    isOperator: Bool, destinations: AddressPolicy
  ) throws(APIFailure) -> ConnectionLicenseKit? {
    guard baseURL != nil || token != nil else { return nil }
    guard let token, (1...1_024).contains(token.utf8.count), token.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
    else { throw .validation(field: "token", "is required, in printable ASCII") }
    guard let baseURL else { return ConnectionLicenseKit(baseURL: nil, token: token) }
    // A vendor's server is elsewhere: only the operator may point this service at its own machine.
    guard let normalized = ServiceURL.normalized(baseURL), isOperator || normalized.lowercased().hasPrefix("https:")
    else { throw .validation(field: "base_url", "must be an https URL, without user, password or fragment") }
    if !isOperator, HTTPOrigin(normalized).map({ destinations.refuses(host: $0.host) }) ?? true {
      throw .validation(field: "base_url", "must not lead to this service's own machine or network")
    }
    return ConnectionLicenseKit(baseURL: normalized, token: token)
  }
}
