import Cryptography
import Foundation
import JSON
import Redis

/// An installation that a browser began here, until it comes back or fifteen minutes have passed.
struct InstallState: Codable, Hashable, Sendable {
  let livemode: Bool
  let createdAt: Date
  /// Of the cookie that the browser was given: the state alone, read over somebody's shoulder, is worth nothing.
  let browserHash: String
  /// Of the one-time link it was begun with, if it was.
  let linkHash: String?
}

/// What became of an installation, for the browser that asks again.
struct InstallResult: Codable, Hashable, Sendable {
  enum Status: String, Codable { case working, connected, failed }

  let status: Status
  let browserHash: String
  let tenant: Tenant?
}

/// The states of installations under way, in Redis: each is good for one callback of one browser. Only hashes are stored.
struct InstallStates: Sendable {
  static let lifetime: Duration = .seconds(15 * 60)

  /// What the browser takes along.
  struct Begun: Sendable {
    /// 256 random bits, for the query of the authorize link.
    let state: String
    /// 256 random bits, for the cookie.
    let browser: String
    /// A name of its own, so that installations in two tabs do not disturb each other.
    let cookieName: String
  }

  /// A callback's state as it was found.
  enum Found: Hashable, Sendable {
    /// It was there, and is used up now.
    case fresh(InstallState)
    /// It was used up before.
    case repeated(InstallResult)
    /// It never was, or is too old.
    case unknown
  }

  let redis: RedisClient?
  let keyPrefix: String

  func begin(livemode: Bool, linkHash: String?) async throws -> Begun {
    let begun = Self.newBegun()
    let state = InstallState(
      livemode: livemode, createdAt: Date(), browserHash: SHA256.hexHash(begun.browser), linkHash: linkHash)
    try await redis.orThrow().set(stateKey(begun.state), try JSONCoding.encodedBytes(state), expiry: Self.lifetime)
    return begun
  }

  /// Looks a state up and uses it up, in one step.
  func consume(_ state: String) async throws -> Found {
    if let bytes = try await redis.orThrow().getdel(stateKey(state)) {
      let found = try JSONCoding.decode(InstallState.self, from: bytes)
      try await finish(state, InstallResult(status: .working, browserHash: found.browserHash, tenant: nil))
      return .fresh(found)
    }
    guard let bytes = try await redis.orThrow().get(resultKey(state)) else { return .unknown }
    return .repeated(try JSONCoding.decode(InstallResult.self, from: bytes))
  }

  /// Notes what became of a state that was used up.
  func finish(_ state: String, _ result: InstallResult) async throws {
    try await redis.orThrow().set(resultKey(state), try JSONCoding.encodedBytes(result), expiry: Self.lifetime)
  }

  static func newBegun() -> Begun {
    let state = Base64.encodeURL(Random.bytes(32))
    return Begun(state: state, browser: Base64.encodeURL(Random.bytes(32)), cookieName: cookieName(of: state))
  }

  static func cookieName(of state: String) -> String { "stripe_install_" + SHA256.hexHash(state).prefix(12) }

  private func stateKey(_ state: String) -> String { "\(keyPrefix)install:state:\(SHA256.hexHash(state))" }
  private func resultKey(_ state: String) -> String { "\(keyPrefix)install:result:\(SHA256.hexHash(state))" }
}

extension RedisClient? {
  /// Without Redis nothing can be installed, and everything else goes on.
  func orThrow() throws(RedisError) -> RedisClient {
    guard let self else { throw .unavailable("no Redis is configured") }
    return self
  }
}
