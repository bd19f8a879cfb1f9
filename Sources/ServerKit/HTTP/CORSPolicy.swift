public import HTTPTypes

/// Which other web origins may call, and what they may see (Fetch standard, CORS protocol). A pure value: it turns a
/// request's origin into headers.
///
/// Credentials (cookies) are never allowed. If origins are listed, any other origin gets no header except `Vary`, so that a
/// cache cannot give one origin's answer to another.
public struct CORSPolicy: Sendable, Hashable {
  /// Whose scripts may call.
  public enum Origins: Sendable, Hashable {
    /// Any origin's: for requests that each have their own credential, or need none.
    case all
    /// Origins such as `https://app.example.com`, and the literal `null` for sandboxed frames. Compared exactly; `*` is
    /// no wildcard here.
    case listed(Set<String>)
  }

  /// Whose scripts may call.
  public var allowedOrigins: Origins
  /// The methods in the answer to a preflight.
  public var allowedMethods: [HTTPRequest.Method]
  /// Request headers beyond the safelisted ones.
  public var allowedHeaders: [String]
  /// Answer headers that scripts may read.
  public var exposedHeaders: [String]
  /// How long a browser may remember the answer to a preflight.
  public var maximumAge: Duration

  /// - Parameter allowedOrigins: a trailing slash is dropped and case is lowered, as browsers send origins.
  public init(
    allowedOrigins: [String], allowedMethods: [HTTPRequest.Method] = [.get, .head, .post],
    allowedHeaders: [String] = ["Authorization", "Content-Type"],
    exposedHeaders: [String] = ["X-Request-Id", "Retry-After"], maximumAge: Duration = .seconds(600)
  ) {
    let origins = allowedOrigins.map { origin in
      var origin = origin.trimmed.lowercased()
      while origin.hasSuffix("/") { origin.removeLast() }
      return origin
    }
    self.init(
      .listed(Set(origins)), allowedMethods: allowedMethods, allowedHeaders: allowedHeaders,
      exposedHeaders: exposedHeaders, maximumAge: maximumAge)
  }

  /// A policy for given origins.
  public init(
    _ allowedOrigins: Origins, allowedMethods: [HTTPRequest.Method] = [.get, .head, .post],
    allowedHeaders: [String] = ["Authorization", "Content-Type"],
    exposedHeaders: [String] = ["X-Request-Id", "Retry-After"], maximumAge: Duration = .seconds(600)
  ) {
    self.allowedOrigins = allowedOrigins
    self.allowedMethods = allowedMethods
    self.allowedHeaders = allowedHeaders
    self.exposedHeaders = exposedHeaders
    self.maximumAge = maximumAge
  }

  /// Whether a page of this origin may call.
  public func allows(origin: String?) -> Bool { allowance(origin) != nil }

  /// The headers for any answer, an error included.
  public func headers(origin: String?) -> HTTPFields {
    var fields = varying
    guard let allowance = allowance(origin) else { return fields }
    fields[.accessControlAllowOrigin] = allowance
    if !exposedHeaders.isEmpty {
      fields[.accessControlExposeHeaders] = exposedHeaders.joined(separator: ", ")
    }
    return fields
  }

  /// The headers for the answer to a preflight request.
  public func preflightHeaders(origin: String?) -> HTTPFields {
    var fields = varying
    guard let allowance = allowance(origin) else { return fields }
    fields[.accessControlAllowOrigin] = allowance
    fields[.accessControlAllowMethods] = allowedMethods.map(\.rawValue).joined(separator: ", ")
    if !allowedHeaders.isEmpty {
      fields[.accessControlAllowHeaders] = allowedHeaders.joined(separator: ", ")
    }
    fields[.accessControlMaxAge] = String(maximumAge.components.seconds)
    return fields
  }

  /// The origin that an answer names, or nil for none.
  private func allowance(_ origin: String?) -> String? {
    switch allowedOrigins {
    case .all: "*"
    case .listed(let origins): origin.flatMap { origins.contains($0) ? $0 : nil }
    }
  }

  /// Answers differ by origin unless they are for all.
  private var varying: HTTPFields { allowedOrigins == .all ? [:] : [.vary: "Origin"] }
}
