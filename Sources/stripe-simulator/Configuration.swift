import ArgumentParser
import Foundation
import ServerKit

/// The options of `serve`, checked.
struct SimulatorConfiguration: Sendable {
  var address: ServerAddress
  var portFile: String?
  var stateFile: String?
  var seed: UInt64
  var developers: [Developer]
  var endpoints: [Endpoint]
  var accounts: [(id: String, name: String)]
  var settings = DeliveryQueue.Settings()

  init(_ options: Serve, environment: [String: String]) throws {
    func value(_ option: String?, _ name: String) -> String? {
      if let option { return option }
      let found = environment["STRIPE_SIMULATOR_" + name] ?? ""
      return found.isEmpty ? nil : found
    }
    func list(_ options: [String], _ name: String, separator: Character) -> [String] {
      options.isEmpty
        ? (value(nil, name)?.split(separator: separator).map { $0.trimmingCharacters(in: .whitespaces) } ?? [])
        : options
    }
    let addressText = value(options.address, "ADDRESS") ?? "127.0.0.1:0"
    guard let address = ServerAddress(parsing: addressText) else {
      throw ValidationError("--address: a host and a port were expected, such as 127.0.0.1:12111")
    }
    self.address = address
    portFile = value(options.portFile, "PORT_FILE")
    stateFile = value(options.state, "STATE")
    seed =
      try options.seed ?? Self.number(value(nil, "SEED"), "STRIPE_SIMULATOR_SEED") ?? UInt64.random(in: 0...UInt64.max)
    let redirects = list(options.redirectURI, "REDIRECT_URIS", separator: ",")
    let name = value(options.appName, "APP_NAME") ?? "LicenseKit"
    developers = [
      Developer(
        environment: .test, secretKey: value(options.testKey, "TEST_KEY") ?? "sk_test_simulator",
        clientID: value(options.testClientID, "TEST_CLIENT_ID") ?? "ca_test_simulator", name: name,
        redirectURIs: redirects,
        permissions: nil),
      Developer(
        environment: .live, secretKey: value(options.liveKey, "LIVE_KEY") ?? "sk_live_simulator",
        clientID: value(options.liveClientID, "LIVE_CLIENT_ID") ?? "ca_live_simulator", name: name,
        redirectURIs: redirects,
        permissions: nil),
    ]
    endpoints = try list(options.endpoint, "ENDPOINTS", separator: " ").enumerated().map { position, text in
      try Self.endpoint(text, id: "we_configured\(position + 1)")
    }
    accounts = list(options.account, "ACCOUNTS", separator: ",").map { text in
      let parts = text.split(separator: "=", maxSplits: 1)
      return (String(parts[0]), String(parts.count > 1 ? parts[1] : parts[0]))
    }
    if let base = try options.retryBaseMs ?? Self.number(value(nil, "RETRY_BASE_MS"), "STRIPE_SIMULATOR_RETRY_BASE_MS")
    {
      settings.baseMilliseconds = max(1, base)
    }
    if let attempts = try options.maximumAttempts
      ?? Self.number(value(nil, "MAXIMUM_ATTEMPTS"), "STRIPE_SIMULATOR_MAXIMUM_ATTEMPTS")
    {
      settings.maximumAttempts = max(1, attempts)
    }
  }

  private static func number<Number: FixedWidthInteger>(_ text: String?, _ name: String) throws -> Number? {
    guard let text else { return nil }
    guard let number = Number(text) else { throw ValidationError("\(name): a whole number was expected") }
    return number
  }

  private static func endpoint(_ text: String, id: String) throws -> Endpoint {
    let parts = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 3 || parts.count == 4, let environment = Environment(rawValue: parts[0]) else {
      throw ValidationError("--endpoint: expected live|test|sandbox,url,secret[,api_version]")
    }
    var version: APIVersion?
    if parts.count == 4 {
      guard let parsed = APIVersion(parts[3]) else {
        throw ValidationError("--endpoint: \(parts[3]) is no API version, such as 2025-03-31.basil")
      }
      version = parsed
    }
    return Endpoint(
      id: id, url: parts[1], secrets: [parts[2]], environment: environment, apiVersion: version, connect: true,
      enabledEvents: ["*"], isEnabled: true)
  }
}
