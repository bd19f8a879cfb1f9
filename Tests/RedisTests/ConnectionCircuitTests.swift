import Testing

@testable import Redis

@Suite("The circuit of one connection")
struct ConnectionCircuitTests {
  let backoff = RedisBackoff(first: .milliseconds(100), longest: .milliseconds(800))
  let start = ContinuousClock.now

  private func at(_ milliseconds: Int) -> ContinuousClock.Instant { start + .milliseconds(milliseconds) }

  @Test("It begins by connecting, and lets commands wait for that")
  func starting() {
    var circuit = ConnectionCircuit(backoff: backoff)
    #expect(circuit.admitsCommands)
    #expect(circuit.step(now: start) == .connect)
    circuit.connected()
    #expect(circuit.admitsCommands)
    #expect(circuit.step(now: start) == .serve)
  }

  @Test("After a failure commands are turned away until an attempt succeeds")
  func failing() {
    var circuit = ConnectionCircuit(backoff: backoff)
    circuit.failed(now: start, jitter: 0)
    #expect(!circuit.admitsCommands)
    #expect(circuit.step(now: at(99)) == .wait(until: at(100)))
    #expect(circuit.step(now: at(100)) == .connect)
    #expect(circuit.state == .halfOpen(failures: 1))
    #expect(!circuit.admitsCommands)
    circuit.connected()
    #expect(circuit.admitsCommands)
  }

  @Test("Pauses double up to the longest, and begin anew after a success")
  func pauses() {
    var circuit = ConnectionCircuit(backoff: backoff)
    var now = start
    for expected in [100, 200, 400, 800, 800, 800] {
      circuit.failed(now: now, jitter: 0)
      #expect(circuit.step(now: now) == .wait(until: now + .milliseconds(expected)))
      now += .milliseconds(expected)
      #expect(circuit.step(now: now) == .connect)
    }
    circuit.connected()
    circuit.failed(now: now, jitter: 0)
    #expect(circuit.step(now: now) == .wait(until: now + .milliseconds(100)))
  }

  @Test("Chance shortens a pause by a quarter at most")
  func jitter() {
    #expect(backoff.delay(afterFailures: 1, jitter: 1) == .milliseconds(75))
    #expect(backoff.delay(afterFailures: 1, jitter: 0.5) == .microseconds(87_500))
    #expect(backoff.delay(afterFailures: 1_000_000, jitter: 0) == .milliseconds(800))
  }

  @Test("An idle connection found closed is replaced while commands wait; if that fails they are turned away")
  func stale() {
    var circuit = ConnectionCircuit(backoff: backoff)
    circuit.connected()
    circuit.foundStale()
    #expect(circuit.admitsCommands)
    #expect(circuit.step(now: start) == .connect)
    circuit.failed(now: start, jitter: 0)
    #expect(!circuit.admitsCommands)
  }

  @Test("Closed is closed, whatever happens after")
  func closed() {
    var circuit = ConnectionCircuit(backoff: backoff)
    circuit.close()
    circuit.connected()
    circuit.foundStale()
    circuit.failed(now: start, jitter: 0)
    #expect(circuit.state == .closed)
    #expect(!circuit.admitsCommands)
    #expect(circuit.step(now: at(10_000)) == .stop)
  }
}
