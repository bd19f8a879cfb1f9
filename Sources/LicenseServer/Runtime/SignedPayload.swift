import Cryptography
import Foundation
import Identity
import JSON
import LicenseKitAPI
import ServerKit

/// Writes the `data` of runtime answers, byte by byte.
///
/// Official clients parse an answer, serialise its `data` again in their own language, and check the signature over that. So
/// the bytes here must be what every one of them produces: members in the order of the schema, no spaces, absent members
/// left out, whole numbers up to 2^53 - 1, and printable ASCII without anything that needs an escape.
enum SignedPayload {
  /// The answer of activate, validate, check and consume.
  static func bytes(of data: RuntimeEntitlementResponseData) throws(APIFailure) -> [UInt8] {
    var writer = try opened(data)
    writer.time("next_check_at", data.nextCheckAt)
    if let expiry = data.expiresAt { writer.time("expires_at", expiry) }
    writer.member("device_id", data.deviceID.rawValue)
    try write(data.features, data.versionEligibility, to: &writer)
    writer.endObject()
    return try checked(writer)
  }

  /// The answer of deactivate.
  static func bytes(of data: DeactivationResponseData) throws(APIFailure) -> [UInt8] {
    var writer = try opened(data)
    writer.member("device_id", data.deviceID.rawValue)
    if let expiry = data.expiresAt { writer.time("expires_at", expiry) }
    writer.endObject()
    return try checked(writer)
  }

  /// The answer of a checkout.
  static func bytes(of data: FloatingCheckoutResponseData) throws(APIFailure) -> [UInt8] {
    var writer = try opened(data)
    if let expiry = data.expiresAt { writer.time("expires_at", expiry) }
    writer.member("device_id", data.deviceID.rawValue)
    writer.member("lease_token", data.leaseToken)
    writer.time("lease_expires_at", data.leaseExpiresAt)
    try write(data.features, data.versionEligibility, to: &writer)
    writer.endObject()
    return try checked(writer)
  }

  /// The answer of check-in and heartbeat.
  static func bytes(of data: FloatingLeaseResponseData) throws(APIFailure) -> [UInt8] {
    var writer = try opened(data)
    if let expiry = data.expiresAt { writer.time("expires_at", expiry) }
    writer.member("device_id", data.deviceID.rawValue)
    writer.time("lease_expires_at", data.leaseExpiresAt)
    try write(data.features, data.versionEligibility, to: &writer)
    writer.endObject()
    return try checked(writer)
  }

  /// A writer with the members that open every payload.
  private static func opened(_ data: some SignedData) throws(APIFailure) -> JSONWriter {
    var writer = JSONWriter(capacity: 512)
    writer.beginObject()
    writer.member("license_id", data.licenseID.rawValue)
    writer.member("status", data.status)
    writer.member("license_type", data.licenseType.rawValue)
    try writer.count("entitlement_version", data.entitlementVersion)
    writer.time("issued_at", data.issuedAt)
    return writer
  }

  /// The members that close most payloads.
  private static func write(
    _ features: [FeatureEntitlement]?, _ eligibility: VersionEligibility?, to writer: inout JSONWriter
  ) throws(APIFailure) {
    if let features {
      writer.key("features")
      writer.beginArray()
      for feature in features { try write(feature, to: &writer) }
      writer.endArray()
    }
    if let eligibility {
      writer.key("version_eligibility")
      write(eligibility, to: &writer)
    }
  }

  private static func write(_ feature: FeatureEntitlement, to writer: inout JSONWriter) throws(APIFailure) {
    writer.beginObject()
    writer.member("code", feature.code)
    writer.member("enabled", feature.enabled)
    if let quota = feature.quota { try writer.count("quota", quota) }
    if let consumed = feature.consumed { try writer.count("consumed", consumed) }
    if let remaining = feature.remaining { try writer.count("remaining", remaining) }
    writer.endObject()
  }

  private static func write(_ eligibility: VersionEligibility, to writer: inout JSONWriter) {
    writer.beginObject()
    writer.member("app_version", eligibility.appVersion)
    writer.member("is_entitled", eligibility.isEntitled)
    writer.member("enforced", eligibility.enforced)
    if let moment = eligibility.releasedAt { writer.time("released_at", moment) }
    if let moment = eligibility.eligibleThrough { writer.time("eligible_through", moment) }
    writer.endObject()
  }

  /// No answer is better than one that some clients cannot verify.
  private static func checked(_ writer: JSONWriter) throws(APIFailure) -> [UInt8] {
    guard writer.isPrintableASCII else { throw .internalError }
    return writer.bytes
  }
}

/// What every signed payload says first.
private protocol SignedData {
  var licenseID: LicenseID { get }
  var status: String { get }
  var licenseType: LicenseType { get }
  var entitlementVersion: Int64 { get }
  var issuedAt: Date { get }
}

extension RuntimeEntitlementResponseData: SignedData {}
extension DeactivationResponseData: SignedData {}
extension FloatingCheckoutResponseData: SignedData {}
extension FloatingLeaseResponseData: SignedData {}

extension JSONWriter {
  fileprivate mutating func time(_ key: String, _ moment: Date) { member(key, RFC3339.string(from: moment)) }

  fileprivate mutating func count(_ key: String, _ number: Int64) throws(APIFailure) {
    guard (0...Checks.maximumInteger).contains(number) else { throw .internalError }
    member(key, number)
  }
}

/// A runtime answer: the bytes of `data` and the signature over exactly those bytes.
struct SignedAnswer: Hashable, Sendable {
  var data: [UInt8]
  var signature: Signature

  init(signing data: [UInt8], with signer: SigningKeys.Signer) throws {
    self.data = data
    self.signature = Signature(alg: "Ed25519", kid: signer.kid, value: Base64.encode(try signer.key.sign(data)))
  }

  /// The signature as JSON.
  var signatureBytes: [UInt8] {
    var writer = JSONWriter(capacity: 160)
    writer.beginObject()
    writer.member("alg", signature.alg)
    writer.member("kid", signature.kid)
    writer.member("value", signature.value)
    writer.endObject()
    return writer.bytes
  }

  /// The form kept for an idempotency key: both pieces, parted by a line feed, which neither contains.
  var stored: [UInt8] { data + [UInt8(ascii: "\n")] + signatureBytes }

  init(stored: [UInt8]) throws {
    guard let end = stored.firstIndex(of: UInt8(ascii: "\n")) else { throw APIFailure.internalError }
    data = Array(stored[..<end])
    signature = try JSONCoding.decode(Signature.self, from: Array(stored[(end + 1)...]), unknownFields: .allow)
  }
}
