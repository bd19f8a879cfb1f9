import HTTPTypes
import Postgres
import Redis
import ServerKit
import Storage
import Testing

@Suite("What a client is told when storage is in trouble")
struct AnswerTests {
  /// Status, code, and whether a pause is named.
  private func answer(_ error: any Error) -> [String] {
    guard let failure = APIFailure.storage(error) else { return ["none"] }
    let pause = failure.headers.contains { $0.0 == "Retry-After" } ? "again" : "never"
    return ["\(failure.status.code)", failure.code, pause]
  }

  @Test("trouble that passes is 503 with a pause, what the caller can mend 409 or 422, a fault of ours nothing")
  func database() {
    func state(_ state: SQLState) -> [String] { answer(PostgresError(.server(sqlState: state), "refused")) }
    let again = ["503", "STORAGE_UNAVAILABLE", "again"]
    #expect(answer(PostgresError(.connection, "gone")) == again)
    #expect(answer(PostgresError(.cancelled, "given up")) == again)
    #expect(state("25006") == again)
    #expect(state("53100") == again)
    #expect(state("42501") == again)
    #expect(state("40P01") == again)
    #expect(state("23505") == ["409", "CONFLICT", "never"])
    #expect(state("23503") == ["409", "CONFLICT", "never"])
    #expect(state("22003") == ["422", "VALIDATION_ERROR", "never"])
    #expect(answer(PostgresError(.encoding, "NUL")) == ["422", "VALIDATION_ERROR", "never"])
    #expect(state("42P01") == ["none"])
  }

  @Test("Redis is unavailable for any reason that it gives; a call that makes no sense is a fault of ours")
  func redis() {
    let again = ["503", "STORAGE_UNAVAILABLE", "again"]
    for error in [RedisError.unavailable("not connected"), .timeout, .overloaded, .server("READONLY")] {
      #expect(answer(error) == again)
    }
    #expect(answer(RedisError.invalidArgument("x")) == ["none"])
  }

  @Test("no answer repeats what the database said, which can hold values")
  func discretion() {
    let failure = APIFailure.storage(PostgresError(.server(sqlState: "22001"), "value ada@example.com too long"))
    #expect(failure.map { "\($0.message) \($0.detail ?? "")".contains("ada") } == false)
  }
}
