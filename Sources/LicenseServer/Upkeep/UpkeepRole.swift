import Postgres

/// Work across tenants that clears away what is over.
enum Upkeep {
  /// The role that it runs under: it finds what is over, and reads nothing of what is in it (migrations 0006 and 0013).
  static let role = TransactionOptions(role: "license_server_upkeep")
}
