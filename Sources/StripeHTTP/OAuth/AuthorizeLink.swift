import HTTPTransport

/// The link that starts an installation.
///
/// Stripe's Dashboard shows it in several shapes: the public one, and those of external tests, which have a segment of their
/// own or the client id already in the query. So the whole link is configured, and only the three parameters are set here
/// (Stripe Apps docs, "OAuth 2.0": install links).
public struct AuthorizeLink: Hashable, Sendable {
  /// The public link of Stripe's marketplace.
  public static let defaultBase = "https://marketplace.stripe.com/oauth/v2/authorize"

  private let address: String
  private let query: [String]

  /// - Parameter base: an absolute link, which may carry a query.
  public init(base: String = AuthorizeLink.defaultBase) {
    let link = base.trimmingASCIIWhitespace().prefix { $0 != "#" }
    let halves = link.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    address = halves.first.map(String.init) ?? ""
    query = (halves.count == 2 ? halves[1] : "").split(separator: "&").map(String.init)
  }

  /// The link with its parameters. Values of the three in the base are replaced; everything else in it is kept.
  ///
  /// - Parameters:
  ///   - clientID: `ca_…`, different in each mode.
  ///   - redirectURI: one of the app's allowed redirect addresses, exactly; nil leaves the choice to Stripe.
  ///   - state: comes back unchanged with the callback.
  public func url(clientID: String, redirectURI: String?, state: String) -> String {
    var parameters = [("client_id", clientID)]
    if let redirectURI { parameters.append(("redirect_uri", redirectURI)) }
    parameters.append(("state", state))
    let kept = query.filter { item in !parameters.contains { $0.0 == item.prefix { $0 != "=" } } }
    return address + "?"
      + (kept + [FormEncoding.encode(parameters, space: .percent)]).joined(separator: "&")
  }
}
