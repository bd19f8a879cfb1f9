import Cryptography

/// Key rings for tests that build servers of their own.
enum KeyRingText {
  static func new(_ id: String) throws -> String { try KeyRing.newEntry(id: id) }
  static func ring(_ text: String) throws -> KeyRing { try KeyRing(parsing: text) }
}
