/// A statement with its parameters, written as an interpolated string:
///
///     let query: PostgresQuery = "SELECT id FROM orders WHERE customer = \(customer) AND total > \(100)"
///
/// Every `\(value)` becomes a bound parameter (`$1`, `$2`, …) and never part of the SQL text. The two exceptions say so:
/// `\(identifier:)` quotes a name, `\(unescaped:)` splices SQL that the program itself wrote.
public struct PostgresQuery: ExpressibleByStringInterpolation, Sendable, Hashable {
  /// The SQL around the parameters: always one piece more than there are parameters.
  private var pieces: [String]
  public private(set) var parameters: [PostgresParameter]

  static let textWithNUL = "a text parameter contains the character NUL, which text in Postgres cannot hold"

  public init(stringLiteral value: String) {
    pieces = [value]
    parameters = []
  }

  /// SQL that the program itself wrote, without parameters.
  public init(unescaped sql: String) { self.init(stringLiteral: sql) }

  public init(stringInterpolation: StringInterpolation) {
    self = stringInterpolation.query
  }

  /// The text sent to the server, with `$n` for the parameters.
  public var sql: String {
    guard !parameters.isEmpty else { return pieces[0] }
    var result = pieces[0]
    for index in parameters.indices {
      result += "$\(index + 1)"
      result += pieces[index + 1]
    }
    return result
  }

  /// Appends another statement part, renumbering its parameters. Use it to build conditions:
  /// `query.append(" AND status = \(status)")`.
  public mutating func append(_ other: PostgresQuery) {
    pieces[pieces.count - 1] += other.pieces[0]
    pieces += other.pieces.dropFirst()
    parameters += other.parameters
  }

  public static func + (left: PostgresQuery, right: PostgresQuery) -> PostgresQuery {
    var result = left
    result.append(right)
    return result
  }

  fileprivate mutating func append(sql: String) { pieces[pieces.count - 1] += sql }

  fileprivate mutating func append(parameter: PostgresParameter) {
    parameters.append(parameter)
    pieces.append("")
  }

  public struct StringInterpolation: StringInterpolationProtocol, Sendable {
    fileprivate var query: PostgresQuery = PostgresQuery(stringLiteral: "")

    public init(literalCapacity: Int, interpolationCount: Int) {
      query.parameters.reserveCapacity(interpolationCount)
      query.pieces.reserveCapacity(interpolationCount + 1)
    }

    public mutating func appendLiteral(_ literal: String) { query.append(sql: literal) }

    /// Binds the value as the next parameter.
    public mutating func appendInterpolation<Value: PostgresEncodable>(_ value: Value) {
      query.append(parameter: PostgresParameter(value))
    }

    /// Binds the value, or NULL, as the next parameter.
    public mutating func appendInterpolation<Value: PostgresEncodable>(_ value: Value?) {
      query.append(parameter: PostgresParameter(value))
    }

    /// Splices SQL. Never hand it anything that came from outside the program.
    public mutating func appendInterpolation(unescaped sql: String) { query.append(sql: sql) }

    /// Splices a name (table, column, role, channel) as a quoted identifier.
    public mutating func appendInterpolation(identifier name: String) {
      query.append(sql: PostgresQuery.quotedIdentifier(name))
    }

    /// Splices another query together with its parameters.
    public mutating func appendInterpolation(fragment: PostgresQuery) { query.append(fragment) }
  }

  /// A name as a quoted identifier (PostgreSQL docs, 4.1.1): any character but NUL; a quote is doubled.
  public static func quotedIdentifier(_ name: String) -> String {
    var result = "\""
    for scalar in name.unicodeScalars {
      if scalar == "\"" { result += "\"\"" } else { result.unicodeScalars.append(scalar) }
    }
    return result + "\""
  }

  /// A text as a string constant (PostgreSQL docs, 4.1.2) that means the same whatever `standard_conforming_strings` is.
  static func quotedLiteral(_ text: String) -> String {
    var result = text.unicodeScalars.contains("\\") ? " E'" : "'"
    for scalar in text.unicodeScalars {
      switch scalar {
      case "'": result += "''"
      case "\\": result += "\\\\"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "'"
  }
}

extension PostgresQuery: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// The SQL text; never the parameters.
  public var description: String { sql }
  public var debugDescription: String { sql }
  public var customMirror: Mirror { Mirror(self, children: ["sql": sql]) }
}
