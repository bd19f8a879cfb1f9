import Testing

@testable import Postgres

@Suite("What an error of the database means")
struct MeaningTests {
  struct Row: CustomTestStringConvertible {
    var state: SQLState
    var meaning: PostgresError.Meaning
    var testDescription: String { "\(state) \(meaning)" }
  }

  static let rows: [Row] = [
    .init(state: "08006", meaning: .away), .init(state: "08P01", meaning: .away),
    .init(state: "0A000", meaning: .fault),
    .init(state: "22001", meaning: .value), .init(state: "22003", meaning: .value),
    .init(state: "22021", meaning: .value), .init(state: "22P05", meaning: .value),
    .init(state: "23502", meaning: .value), .init(state: "23514", meaning: .value),
    .init(state: "23503", meaning: .reference),
    .init(state: "23505", meaning: .duplicate), .init(state: "23P01", meaning: .duplicate),
    .init(state: "25006", meaning: .away), .init(state: "25P02", meaning: .fault),
    .init(state: "26000", meaning: .away),
    .init(state: "28000", meaning: .rights), .init(state: "28P01", meaning: .rights),
    .init(state: "3D000", meaning: .rights),
    .init(state: "40001", meaning: .conflict), .init(state: "40P01", meaning: .conflict),
    .init(state: "42501", meaning: .rights),
    .init(state: "42601", meaning: .fault), .init(state: "42P01", meaning: .fault),
    .init(state: "53000", meaning: .away), .init(state: "53100", meaning: .away),
    .init(state: "53200", meaning: .away), .init(state: "53300", meaning: .away),
    .init(state: "54000", meaning: .value), .init(state: "54001", meaning: .value),
    .init(state: "55006", meaning: .conflict), .init(state: "55P03", meaning: .conflict),
    .init(state: "57014", meaning: .away), .init(state: "57P01", meaning: .away),
    .init(state: "57P02", meaning: .away), .init(state: "57P03", meaning: .away), .init(state: "57P05", meaning: .away),
    .init(state: "58030", meaning: .away), .init(state: "58P01", meaning: .away),
    .init(state: "F0000", meaning: .away), .init(state: "P0001", meaning: .fault),
    .init(state: "XX000", meaning: .away), .init(state: "XX001", meaning: .away),
  ]

  @Test("a state of the server has one meaning", arguments: rows)
  func states(_ row: Row) {
    #expect(PostgresError(.server(sqlState: row.state), "refused").meaning == row.meaning)
  }

  @Test("so has what never reached the server")
  func others() {
    let meanings: [(PostgresError.Code, PostgresError.Meaning)] = [
      (.connection, .away), (.outcomeUnknown, .away), (.timeout, .away), (.overloaded, .away), (.closed, .away),
      (.cancelled, .cancelled), (.encoding, .value), (.rights, .rights), (.pooled, .rights), (.decoding, .fault),
      (.migration, .fault), (.misuse, .fault),
    ]
    for (code, meaning) in meanings { #expect(PostgresError(code, "").meaning == meaning) }
  }

  @Test("a connection that was refused for who asked is a matter of rights, one that was lost is not")
  func entry() {
    #expect(PostgresError(.connection, "", sqlState: "28P01").meaning == .rights)
    #expect(PostgresError(.connection, "", sqlState: "42501").meaning == .rights)
    #expect(PostgresError(.connection, "", sqlState: "57P01").meaning == .away)
    #expect(PostgresError(.connection, "", sqlState: "25006").meaning == .away)
  }
}
