extension PostgresClient {
  /// A text that identifies the database: its cluster, as initialized, and the database in it. A copy that was restored from
  /// a dump has another one. A promoted standby, and a copy of the cluster's files, have the same.
  public func databaseIdentity() async throws -> String {
    let row = try await query(
      """
      SELECT c.system_identifier, d.oid::bigint AS database
        FROM pg_control_system() c
        JOIN pg_database d ON d.datname = current_database()
      """
    ).first
    guard let row else { throw PostgresError(.decoding, "the server returned no identity") }
    let cluster = UInt64(bitPattern: try row.get("system_identifier", as: Int64.self))
    let database = UInt64(bitPattern: try row.get("database", as: Int64.self))
    return String(cluster, radix: 36) + "." + String(database, radix: 36)
  }
}
