public import Foundation

/// Whether a signing key still signs.
public enum PublicKeyStatus: String, Codable, Hashable, Sendable, CaseIterable {
  /// Signs new answers.
  case active
  /// Signed answers that are still out there.
  case retired
}

/// A key that runtime answers can be checked with.
public struct PublicKey: Codable, Hashable, Sendable {
  /// The key's id, as in `Signature.kid`.
  public var kid: String
  /// Always `Ed25519`.
  public var algorithm: String
  /// The raw 32 bytes in standard base64.
  public var publicKey: String
  /// The present state.
  public var status: PublicKeyStatus
  /// When the record was made.
  public var createdAt: Date

  /// Every field as the contract has it; what is nil is left out on the wire.
  public init(
    kid: String,
    algorithm: String,
    publicKey: String,
    status: PublicKeyStatus,
    createdAt: Date
  ) {
    self.kid = kid
    self.algorithm = algorithm
    self.publicKey = publicKey
    self.status = status
    self.createdAt = createdAt
  }
}

/// The answer of `health` and `healthz`.
public struct HealthData: Codable, Hashable, Sendable {
  /// Always `ok`.
  public var status: String

  /// Every field as the contract has it; what is nil is left out on the wire.
  public init(
    status: String
  ) {
    self.status = status
  }
}

/// The answer of `readyz`, with status 200 or 503.
public struct ReadyData: Codable, Hashable, Sendable {
  /// `ready` or `not_ready`.
  public var status: String
  /// How the database is.
  public var db: String

  /// Every field as the contract has it; what is nil is left out on the wire.
  public init(
    status: String,
    db: String
  ) {
    self.status = status
    self.db = db
  }
}
