import Postgres
import TestSupport
import Testing

@Suite("Listening for notifications")
struct ListenTests {
  @Test("a listener hears its channel only, and again after its connection was broken")
  func listening() async throws {
    try await withDatabase { database in
      let client = database.client
      let channel = "jobs \"one\""
      var jobs = client.listen(channel).makeAsyncIterator()
      var other = client.listen("other").makeAsyncIterator()
      #expect(await jobs.next() == .connected)
      #expect(await other.next() == .connected)
      try await client.query("SELECT pg_notify(\(channel), 'first')")
      #expect(await jobs.next() == .notification(payload: "first"))

      try await client.query(
        """
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND query LIKE 'LISTEN%' AND pid <> pg_backend_pid()
        """)
      #expect(await jobs.next() == .connected)
      #expect(await other.next() == .connected)
      try await client.query("SELECT pg_notify(\(channel), 'second')")
      try await client.query("SELECT pg_notify('other', 'third')")
      #expect(await jobs.next() == .notification(payload: "second"))
      #expect(await other.next() == .notification(payload: "third"))
    }
  }

  @Test("a later subscriber is connected, too; a subscription ends with its iteration, all end with the client")
  func ends() async throws {
    try await withDatabase { database in
      let client = database.client
      for round in 0..<3 {
        for await event in client.listen("again") {
          #expect(event == .connected, "round \(round)")
          break
        }
      }
      var stream = client.listen("again").makeAsyncIterator()
      #expect(await stream.next() == .connected)
      try await client.query("NOTIFY again, 'x'")
      #expect(await stream.next() == .notification(payload: "x"))
      await client.close()
      #expect(await stream.next() == nil)
      var late = client.listen("again").makeAsyncIterator()
      #expect(await late.next() == nil)
    }
  }
}
