public import HTTPTypes

/// The headers every web page is sent with: only this server's own scripts, styles and images; no framing; no
/// referrer; no guessing of types.
public enum HTMLSecurity {
  /// The policy of every page that does not set its own.
  public static let contentSecurityPolicy =
    "default-src 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'"

  /// Sets the headers, but keeps an existing `Content-Security-Policy`.
  public static func apply(to headers: inout HTTPFields) {
    headers[.contentSecurityPolicy] = headers[.contentSecurityPolicy] ?? contentSecurityPolicy
    headers[.referrerPolicy] = "no-referrer"
    headers[.xContentTypeOptions] = "nosniff"
    headers[.xFrameOptions] = "DENY"
  }
}
