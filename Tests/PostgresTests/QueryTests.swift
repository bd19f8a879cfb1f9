import Postgres
import Testing

@Suite("A query")
struct QueryTests {
  @Test("interpolated values become numbered parameters")
  func parameters() {
    let query: PostgresQuery = "SELECT \(1) + \(2), \("x; DROP TABLE y") FROM t"
    #expect(query.sql == "SELECT $1 + $2, $3 FROM t")
    #expect(query.parameters.map(\.type) == [.int8, .int8, .text])
    #expect(query.parameters.last?.value == .text("x; DROP TABLE y"))
  }

  @Test("queries are put together with their parameters renumbered")
  func composition() {
    var query: PostgresQuery = "SELECT * FROM t WHERE a = \(1)"
    query.append(" AND b = \("x")")
    let limited: PostgresQuery = "\(fragment: query) LIMIT \(10)"
    #expect(limited.sql == "SELECT * FROM t WHERE a = $1 AND b = $2 LIMIT $3")
    #expect((limited + " OFFSET \(5)").sql.hasSuffix("LIMIT $3 OFFSET $4"))
  }

  @Test("names are quoted", arguments: [("plain", "\"plain\""), ("a\"b", "\"a\"\"b\""), ("x; --", "\"x; --\"")])
  func identifiers(name: String, quoted: String) {
    let query: PostgresQuery = "SELECT \(identifier: name)"
    #expect(query.sql == "SELECT " + quoted)
  }

  @Test("printing or dumping a query shows no parameter value")
  func redaction() {
    let query: PostgresQuery = "SELECT \("secret-value")"
    var dumped = ""
    dump(query, to: &dumped)
    dump(query.parameters, to: &dumped)
    for text in ["\(query)", String(reflecting: query), "\(query.parameters)", dumped] {
      #expect(!text.contains("secret-value"))
    }
  }

  @Test("a configuration prints no password, and its URL reads back as the same configuration")
  func configuration() throws {
    let configuration = try PostgresConfiguration(url: "postgres://u:p%40ss@127.0.0.1:6000/name?sslmode=disable")
    #expect(!"\(configuration)".contains("p@ss"))
    #expect(configuration.database == "name")
    let copy = try PostgresConfiguration(url: configuration.withDatabase("other name").url)
    #expect(copy.database == "other name")
    #expect(copy.url.contains("password=p%40ss"))
    #expect(copy.url.contains("host=127.0.0.1"))
  }

  @Test("a connection string that cannot be read is refused without repeating it")
  func badConfiguration() {
    for url in ["", "postgres://u:hunter2@h:notaport:x/db?bogus=1", "nonsense hunter2"] {
      do {
        _ = try PostgresConfiguration(url: url)
        Issue.record("accepted \(url)")
      } catch {
        #expect(!"\(error)".contains("hunter2"))
      }
    }
  }
}
