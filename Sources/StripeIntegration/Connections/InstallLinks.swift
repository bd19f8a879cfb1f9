package import Cryptography
package import Foundation
import JSON
package import Redis
import ServerKit
package import StripeAPI

/// A link that installs the app for one vendor, with the vendor's own LicenseKit.
package struct InstallLink: Sendable {
  /// The address that the vendor opens. Whoever has it can use it, once.
  package let url: String
  package let expiresAt: Date
}

/// One-time links that bind an installation to a LicenseKit. Redis keeps their content for seven days, encrypted, and only the
/// link itself leads to it.
package struct InstallLinks: Sendable {
  /// Why a link cannot be made or used.
  package enum Failure: Error, Hashable, Sendable, CustomStringConvertible {
    /// The address is not HTTPS (HTTP is accepted on loopback).
    case invalidURL
    case emptyToken

    package var description: String {
      switch self {
      case .invalidURL: "the address of LicenseKit must be an https URL (http only on loopback)"
      case .emptyToken: "the LicenseKit token is empty"
      }
    }
  }

  /// How long a link can be used.
  package static let lifetime: Duration = .seconds(7 * 86_400)

  private let redis: RedisClient?
  private let keyRing: KeyRing
  private let publicBaseURL: String
  private let keyPrefix: String

  package init(redis: RedisClient?, keyRing: KeyRing, publicBaseURL: String, keyPrefix: String = "") {
    self.redis = redis
    self.keyRing = keyRing
    self.publicBaseURL = publicBaseURL
    self.keyPrefix = keyPrefix
  }

  private struct Content: Codable {
    let baseURL: String?
    let token: String
  }

  /// Makes a link.
  ///
  /// - Parameters:
  ///   - licensekitBaseURL: the vendor's LicenseKit; nil for the service's, with the vendor's token.
  ///   - licensekitToken: the token for calls to the vendor's LicenseKit.
  ///   - environment: the environment to install in; nil for the installation's default.
  /// - Throws: `Failure`, or `RedisError`.
  package func create(
    licensekitBaseURL: String?, licensekitToken: String, environment: StripeEnvironment? = nil
  ) async throws -> InstallLink {
    let baseURL = try licensekitBaseURL.map { text in
      guard let url = ServiceURL.normalized(text) else { throw Failure.invalidURL }
      return url
    }
    guard !licensekitToken.isEmpty else { throw Failure.emptyToken }
    let link = Base64.encodeURL(Random.bytes(32))
    let hash = SHA256.hexHash(link)
    let content = try JSONCoding.encodedBytes(Content(baseURL: baseURL, token: licensekitToken))
    let encrypted = try keyRing.encrypt(content, context: ["install_link", hash])
    try await redis.orThrow().set(contentKey(hash), encrypted, expiry: Self.lifetime)
    var query = [(name: "link", value: link)]
    if let environment { query.append((name: "mode", value: environment.rawValue)) }
    return InstallLink(
      url: "\(publicBaseURL)/stripe/oauth/install?\(PercentCoding.query(query))",
      expiresAt: Date(timeIntervalSinceNow: Self.lifetime / .seconds(1)))
  }

  /// The link's content; nil if it was used, or has expired.
  func content(ofLinkHash hash: String) async throws -> ConnectionLicenseKit? {
    guard let encrypted = try await redis.orThrow().get(contentKey(hash)) else { return nil }
    let content = try JSONCoding.decode(
      Content.self, from: try keyRing.decrypt(encrypted, context: ["install_link", hash]))
    return ConnectionLicenseKit(baseURL: content.baseURL, token: content.token)
  }

  /// Binds the link to the first account that uses it.
  /// - Returns: whether that is this account; any other is refused from then on.
  func claim(linkHash hash: String, for tenant: Tenant) async throws -> Bool {
    let key = claimKey(hash)
    if try await redis.orThrow().set(key, tenant.description, onlyIfAbsent: true, expiry: Self.lifetime) { return true }
    return try await redis.orThrow().get(key) == Array(tenant.description.utf8)
  }

  /// Ends a link after its installation was stored. The claim stays, so that nobody else could use the link even if this call
  /// is lost.
  func consume(linkHash hash: String) async throws {
    _ = try await redis.orThrow().del(contentKey(hash))
  }

  private func contentKey(_ hash: String) -> String { "\(keyPrefix)install:link:\(hash)" }
  private func claimKey(_ hash: String) -> String { "\(keyPrefix)install:link-account:\(hash)" }
}
