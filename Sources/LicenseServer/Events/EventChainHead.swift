import Cryptography

/// The end of a tenant's chain of events, or any place in it. An operator writes it down elsewhere, so that it is noticed if
/// somebody rewrites the whole chain.
package struct EventChainHead: Hashable, Sendable, CustomStringConvertible {
  /// Counts from 1; 0 before the first event.
  package var position: Int64
  /// The hash of the link there: 32 bytes.
  package var hash: [UInt8]

  /// A place in a chain.
  package init(position: Int64, hash: [UInt8]) {
    self.position = position
    self.hash = hash
  }

  /// Reads `POSITION:HASH`, the hash in hexadecimal; nil for anything else.
  package init?(parsing text: String) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2, let position = Int64(parts[0]), position >= 1, let hash = Hex.decode(parts[1]),
      hash.count == EventLink.firstPrevious.count
    else { return nil }
    self.init(position: position, hash: hash)
  }

  /// `POSITION:HASH`.
  package var description: String { "\(position):\(Hex.encode(hash))" }
}
