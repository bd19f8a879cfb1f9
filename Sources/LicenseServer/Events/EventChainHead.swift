import Cryptography

/// The end of a tenant's chain of events, or any place in it: what an operator notes down elsewhere, so that a chain that
/// was written anew as a whole is noticed, too.
public struct EventChainHead: Hashable, Sendable, CustomStringConvertible {
  /// Counts from 1; 0 before the first event.
  public var position: Int64
  /// The hash of the link there: 32 bytes.
  public var hash: [UInt8]

  /// A place in a chain.
  public init(position: Int64, hash: [UInt8]) {
    self.position = position
    self.hash = hash
  }

  /// Reads `POSITION:HASH`, the hash in hexadecimal; nil for anything else.
  public init?(parsing text: String) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2, let position = Int64(parts[0]), position >= 1, let hash = Hex.decode(parts[1]),
      hash.count == EventLink.firstPrevious.count
    else { return nil }
    self.init(position: position, hash: hash)
  }

  /// `POSITION:HASH`.
  public var description: String { "\(position):\(Hex.encode(hash))" }
}
