import Cryptography
import Foundation
import JSON
import Redis
import StripeAPI

/// An installation that a browser began here. It lasts until the browser comes back, or for fifteen minutes. The browser
/// keeps it encrypted in a cookie, so it costs this service nothing if anybody begins one.
struct InstallState: Hashable, Sendable {
  let environment: StripeEnvironment
  /// The hash of the one-time link that it began with, if there was one.
  let linkHash: String?
}

extension InstallState: Codable {
  private enum CodingKeys: String, CodingKey { case livemode, environment, linkHash }

  /// A replica of an older version stores only the mode.
  init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    environment =
      try fields.decodeIfPresent(StripeEnvironment.self, forKey: .environment)
      ?? StripeEnvironment(livemode: try fields.decode(Bool.self, forKey: .livemode))
    linkHash = try fields.decodeIfPresent(String.self, forKey: .linkHash)
  }

  func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encode(environment.livemode, forKey: .livemode)
    try fields.encode(environment, forKey: .environment)
    try fields.encodeIfPresent(linkHash, forKey: .linkHash)
  }
}

/// The result of an installation, for a browser that asks again.
struct InstallResult: Codable, Hashable, Sendable {
  enum Status: String, Codable { case working, connected, failed }

  let status: Status
  var tenant: Tenant?
  /// Nil means the mode's default.
  var environment: StripeEnvironment?
}

/// The states of installations under way; each is valid for one callback of one browser. Redis stores only that a callback
/// came, and its result.
struct InstallStates: Sendable {
  static let lifetime: Duration = .seconds(15 * 60)

  /// What the browser takes with it.
  struct Begun: Sendable {
    /// For the query of the authorize link: 128 random bits and the time of expiry, encrypted.
    let state: String
    /// For the cookie: what was begun, encrypted for this state. A state read over a person's shoulder is worthless without it.
    let browser: String
    /// A separate name, so that installations in two tabs do not disturb each other.
    let cookieName: String
  }

  /// The result of looking up a callback's state.
  enum Found: Hashable, Sendable {
    /// It was unused, and is used up now.
    case fresh(InstallState)
    /// It was used up before.
    case repeated(InstallResult)
    /// The browser is not the one that began the installation.
    case otherBrowser
    /// It never existed, or has expired.
    case unknown
  }

  let redis: RedisClient?
  let keyRing: KeyRing
  let keyPrefix: String
  var now: @Sendable () -> Date = { Date() }

  func begin(_ environment: StripeEnvironment, linkHash: String?) async throws -> Begun {
    // An installation that could not end without Redis is not begun.
    try await redis.orThrow().ping()
    let ticket = Ticket(nonce: Random.bytes(16), end: now().addingTimeInterval(Self.lifetime / .seconds(1)))
    let state = Base64.encodeURL(try keyRing.encrypt(ticket.bytes, context: [Self.statePurpose]))
    let begun = try JSONCoding.encodedBytes(InstallState(environment: environment, linkHash: linkHash))
    let browser = Base64.encodeURL(try keyRing.encrypt(begun, context: Self.browserContext(state)))
    return Begun(state: state, browser: browser, cookieName: Self.cookieName(of: state))
  }

  /// Looks a state up and uses it up, in one step. Only the browser that began the installation can use it up.
  func consume(_ state: String, browser: String?) async throws -> Found {
    guard let encrypted = Base64.decodeURL(state),
      let bytes = try? keyRing.decrypt(encrypted, context: [Self.statePurpose]),
      let ticket = Ticket(bytes: bytes), now() < ticket.end
    else { return .unknown }
    guard let encrypted = browser.flatMap({ Base64.decodeURL($0) }),
      let bytes = try? keyRing.decrypt(encrypted, context: Self.browserContext(state))
    else { return .otherBrowser }
    let begun = try JSONCoding.decode(InstallState.self, from: bytes)
    let working = try JSONCoding.encodedBytes(InstallResult(status: .working))
    let key = resultKey(state)
    if try await redis.orThrow().set(key, working, onlyIfAbsent: true, expiry: Self.lifetime) { return .fresh(begun) }
    guard let bytes = try await redis.orThrow().get(key) else { return .unknown }
    return .repeated(try JSONCoding.decode(InstallResult.self, from: bytes))
  }

  /// Records the result for a state that was used up.
  func finish(_ state: String, _ result: InstallResult) async throws {
    try await redis.orThrow().set(resultKey(state), try JSONCoding.encodedBytes(result), expiry: Self.lifetime)
  }

  static func cookieName(of state: String) -> String { "stripe_install_" + SHA256.hexHash(state).prefix(12) }

  private static let statePurpose = "install_state"
  private static func browserContext(_ state: String) -> [String] { ["install_browser", SHA256.hexHash(state)] }

  private func resultKey(_ state: String) -> String { "\(keyPrefix)install:result:\(SHA256.hexHash(state))" }

  /// The content of a state.
  private struct Ticket {
    let nonce: [UInt8]
    let end: Date

    init(nonce: [UInt8], end: Date) {
      self.nonce = nonce
      self.end = end
    }

    init?(bytes: [UInt8]) {
      guard bytes.count == 24 else { return nil }
      nonce = Array(bytes[..<16])
      end = Date(timeIntervalSince1970: Double(bytes[16...].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }))
    }

    var bytes: [UInt8] {
      let seconds = UInt64(max(0, min(end.timeIntervalSince1970, 1e15)))
      return nonce + (0..<8).map { UInt8(truncatingIfNeeded: seconds >> (56 - 8 * UInt64($0))) }
    }
  }
}

extension RedisClient? {
  /// Without Redis nothing can be installed; everything else continues.
  func orThrow() throws(RedisError) -> RedisClient {
    guard let self else { throw .unavailable("no Redis is configured") }
    return self
  }
}
