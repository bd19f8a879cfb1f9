public import HTTPTransport
import JSON
import LicenseKitAPI

/// ``LicenseKitClient`` over HTTP.
///
/// The token goes only into the `Authorization` header; no error or description shows it. Like the official clients, this one
/// percent-encodes path ids completely, so that an id can never change the path. Nothing is retried here; callers decide by
/// ``LicenseKitError/retry``.
public struct LicenseKitHTTPClient: Sendable {
  /// Where the server is, without a slash at the end. A path prefix is kept.
  public let baseURL: String
  let token: String
  let transport: any HTTPSending
  let deadline: Duration

  /// A client for the server at `baseURL`, calling with `token`, each call with its own `deadline`.
  public init(baseURL: String, token: String, transport: any HTTPSending, deadline: Duration = .seconds(20)) {
    var base = Substring(baseURL)
    while base.last == "/" || base.last == " " { base = base.dropLast() }
    self.baseURL = String(base.drop(while: { $0 == " " }))
    self.token = token
    self.transport = transport
    self.deadline = deadline
  }
}

extension LicenseKitHTTPClient: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// The address, without the token.
  public var description: String { "LicenseKit at \(baseURL)" }
  /// The address, without the token.
  public var debugDescription: String { description }
  /// The address, without the token.
  public var customMirror: Mirror { Mirror(self, children: ["baseURL": baseURL]) }
}
