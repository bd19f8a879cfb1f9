import Foundation

#if canImport(FoundationNetworking)
  import FoundationNetworking
#endif

/// Why there is no entitlement.
enum LicenseError: Error {
  /// The server has decided. `code` is one of those in docs/runtime.md, for instance `LICENSE_EXPIRED`.
  case refused(code: String, message: String)
  /// The server cannot say now. The license may be good.
  case unavailable(status: Int)
  /// Somebody else answered in the server's place.
  case notGenuine
}

/// What the program tells of the machine it runs on.
struct Machine: Encodable {
  var fingerprint: String
  var hostname = ProcessInfo.processInfo.hostName
  #if os(macOS)
    var os = "macos"
  #elseif os(Windows)
    var os = "windows"
  #else
    var os = "linux"
  #endif

  /// A name for this machine that tells nothing of it: made on the first start and kept from then on.
  static func keptFingerprint() throws -> String {
    let folder = try FileManager.default.url(
      for: .applicationSupportDirectory, in: .userDomainMask, appropriateFor: nil, create: true)
    let file = folder.appendingPathComponent("activate-example-fingerprint")
    if let kept = try? String(contentsOf: file, encoding: .utf8) { return kept }
    let made = UUID().uuidString
    try made.write(to: file, atomically: true, encoding: .utf8)
    return made
  }
}

/// What the license allows, as the server says it. Fields may be added.
struct Entitlement: Decodable {
  var licenseID: String
  var status: String
  var deviceID: String
  var nextCheckAt: String
  var expiresAt: String?

  private enum CodingKeys: String, CodingKey {
    case licenseID = "license_id"
    case status
    case deviceID = "device_id"
    case nextCheckAt = "next_check_at"
    case expiresAt = "expires_at"
  }
}

/// One license on this machine.
struct LicenseClient {
  /// An entitlement, and whether its signature was checked.
  struct Answer {
    var entitlement: Entitlement
    var signature: SignatureCheck.Result
  }

  private let server: URL
  private let licenseKey: String
  private let machine: Machine
  private let keys: [PublicKey]

  /// Asks for the server's public keys. A real program ships with them, or keeps those of its first start: who can send a
  /// false answer can send false keys as well.
  init(server: URL, licenseKey: String, machine: Machine) async throws {
    self.server = server
    self.licenseKey = licenseKey
    self.machine = machine
    let request = URLRequest(url: server.appendingPathComponent("api/v1/system/public-keys"), timeoutInterval: 10)
    keys = try JSONDecoder().decode(Enveloped<[PublicKey]>.self, from: try await Self.send(request)).data
  }

  /// Takes a seat for this machine. A machine that has one keeps it, and takes no second one.
  func activate() async throws -> Answer {
    // One key for each intention: a repetition under the same key, after an answer that was lost, changes nothing.
    try await call("activate", idempotencyKey: "activate-\(UUID().uuidString)")
  }

  /// Confirms the seat. Call it on each start, and again at `nextCheckAt`.
  func validate() async throws -> Answer {
    try await call("validate")
  }

  private func call(_ operation: String, idempotencyKey: String? = nil) async throws -> Answer {
    var request = URLRequest(
      url: server.appendingPathComponent("api/v1/license/\(operation)"), timeoutInterval: 10)
    request.httpMethod = "POST"
    request.httpBody = try JSONEncoder().encode(machine)
    request.setValue("License \(licenseKey)", forHTTPHeaderField: "Authorization")
    request.setValue("application/json", forHTTPHeaderField: "Content-Type")
    request.setValue(idempotencyKey, forHTTPHeaderField: "Idempotency-Key")
    let body = try await Self.send(request)
    let signature = try SignatureCheck.result(of: body, keys: keys)
    return Answer(
      entitlement: try JSONDecoder().decode(Enveloped<Entitlement>.self, from: body).data, signature: signature)
  }

  private static func send(_ request: URLRequest) async throws -> Data {
    let (body, response) = try await URLSession.shared.data(for: request)
    let status = (response as? HTTPURLResponse)?.statusCode ?? 0
    if status == 200 { return body }
    // Below 500 the server has decided, but for 408 and 429, which say "later".
    guard (400..<500).contains(status), status != 408, status != 429,
      let refusal = try? JSONDecoder().decode(Refusal.self, from: body)
    else { throw LicenseError.unavailable(status: status) }
    throw LicenseError.refused(code: refusal.error.code, message: refusal.error.message)
  }

  private struct Enveloped<Value: Decodable>: Decodable {
    var data: Value
  }

  private struct Refusal: Decodable {
    struct Content: Decodable {
      var code: String
      var message: String
    }
    var error: Content
  }
}
