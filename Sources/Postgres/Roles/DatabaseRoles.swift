/// The roles that the connection's user takes on, which are created and granted if they are missing.
///
/// Roles belong to the whole cluster, and rights on them to each user. So after a restore elsewhere, with a second service on
/// the same cluster, or with another user, the migrations are recorded but their grants may be missing. Therefore this is
/// checked before each migration and not only once.
///
/// Since PostgreSQL 16, a user that creates a role may grant it to others, but cannot take it on before it grants the role to
/// itself.
public struct DatabaseRoles: Sendable {
  private let names: [String]
  private let client: PostgresClient

  public init(_ names: [String], client: PostgresClient) {
    self.names = names
    self.client = client
  }

  /// What is missing before the user may take on each role.
  public struct Gap: Sendable, Hashable {
    public var user: String
    public var serverVersion: Int
    /// Roles that do not exist.
    public var absent: [String]
    /// Roles that the user may not take on, including the absent ones.
    public var notGranted: [String]

    /// Nothing is missing.
    public var isEmpty: Bool { absent.isEmpty && notGranted.isEmpty }

    /// The statements that an administrator must run.
    public var statements: [String] {
      let create = absent.map { "CREATE ROLE \(Self.quoted($0)) NOLOGIN" }
      guard !notGranted.isEmpty else { return create }
      let roles = notGranted.map(Self.quoted).joined(separator: ", ")
      return create + ["GRANT \(roles) TO \(Self.quoted(user))\(options)"]
    }

    private static func quoted(_ name: String) -> String {
      let isPlain = name.utf8.allSatisfy {
        $0 == UInt8(ascii: "_") || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0)
      }
      return isPlain ? name : PostgresQuery.quotedIdentifier(name)
    }

    /// The user can take a role on and does not have its rights at other times. Before 16 that is a property of the user.
    private var options: String { serverVersion >= 160_000 ? " WITH INHERIT FALSE, SET TRUE" : "" }
  }

  /// Checks, and changes nothing.
  public func gap() async throws -> Gap {
    let server = try await client.query(
      "SELECT current_user::text AS name, current_setting('server_version_num')::integer AS version"
    ).first
    guard let server else { throw PostgresError(.decoding, "the server returned no version") }
    let version: Int = try server.get("version")
    let privilege = version >= 160_000 ? "SET" : "MEMBER"
    let rows = try await client.query(
      """
      SELECT n.name, r.oid IS NOT NULL AS is_there,
             coalesce(pg_has_role(current_user, r.oid, \(privilege)), false) AS is_granted
        FROM unnest(\(names)) WITH ORDINALITY AS n (name, position)
        LEFT JOIN pg_roles r ON r.rolname = n.name
       ORDER BY n.position
      """)
    var gap = Gap(user: try server.get("name"), serverVersion: version, absent: [], notGranted: [])
    for row in rows {
      let name: String = try row.get("name")
      if try !row.get("is_there", as: Bool.self) { gap.absent.append(name) }
      if try !row.get("is_granted", as: Bool.self) { gap.notGranted.append(name) }
    }
    return gap
  }

  /// Creates and grants what is missing. Any number of processes may do it at once.
  /// - Throws: `.rights` with the exact statements, if the user may not do it.
  public func prepare() async throws {
    // Two processes that grant the same at one moment disturb each other (XX000, "tuple concurrently updated"). A second look
    // finds what the other one did.
    for _ in 0..<5 {
      let gap = try await gap()
      if gap.isEmpty { return }
      for statement in gap.statements {
        do {
          try await client.query("\(unescaped: statement)")
        } catch let error as PostgresError {
          switch error.sqlState {
          case .insufficientPrivilege: throw Self.missing(gap)
          case .duplicateObject, .uniqueViolation, "XX000": break  // another process is doing the same
          default: throw error
          }
        }
      }
    }
    let gap = try await gap()
    if !gap.isEmpty { throw Self.missing(gap) }
  }

  private static func missing(_ gap: Gap) -> PostgresError {
    PostgresError(
      .rights,
      "the database user \(gap.user) may not take on the service's roles. Run as an administrator of the database: "
        + gap.statements.map { $0 + ";" }.joined(separator: " "))
  }
}
