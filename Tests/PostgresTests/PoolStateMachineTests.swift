import TestRandom
import Testing

@testable import Postgres

@Suite("The pool of connections")
struct PoolStateMachineTests {
  let start = ContinuousClock.now

  private func machine(maximum: Int = 2) -> PoolStateMachine {
    PoolStateMachine(
      .init(
        maximumConnections: maximum, acquireTimeout: .seconds(5), idleLifetime: .seconds(60),
        initialBackoff: .milliseconds(100), maximumBackoff: .milliseconds(300)))
  }
  private func at(_ seconds: Double) -> ContinuousClock.Instant { start + .seconds(seconds) }

  @Test("the first caller opens a connection and gets it; the next gets the same after a release")
  func reuse() {
    var pool = machine()
    #expect(pool.acquire(1, now: start) == [.open(1)])
    #expect(pool.opened(1, now: start) == [.lease(1, to: 1)])
    #expect(pool.release(1, .healthy, now: start) == [])
    #expect(pool.acquire(2, now: start) == [.lease(1, to: 2)])
  }

  @Test("callers beyond the limit wait and are served in their order")
  func order() {
    var pool = machine(maximum: 1)
    #expect(pool.acquire(1, now: start) == [.open(1)])
    #expect(pool.acquire(2, now: start) == [])
    #expect(pool.acquire(3, now: start) == [])
    #expect(pool.opened(1, now: start) == [.lease(1, to: 1)])
    #expect(pool.release(1, .healthy, now: start) == [.lease(1, to: 2)])
    #expect(pool.release(1, .healthy, now: start) == [.lease(1, to: 3)])
    #expect(pool.connectionCount == 1)
  }

  @Test("a caller that gives up is answered once, and its place goes to the next")
  func cancellation() {
    var pool = machine(maximum: 1)
    _ = pool.acquire(1, now: start)
    _ = pool.acquire(2, now: start)
    #expect(pool.cancel(1) == [.fail(1, .cancelled)])
    #expect(pool.cancel(1) == [])
    #expect(pool.opened(1, now: start) == [.lease(1, to: 2)])
    #expect(pool.cancel(2) == [])
  }

  @Test("a caller waits no longer than the acquire timeout")
  func timeout() {
    var pool = machine(maximum: 1)
    _ = pool.acquire(1, now: start)
    _ = pool.opened(1, now: start)
    _ = pool.acquire(2, now: at(1))
    _ = pool.acquire(3, now: at(2))
    #expect(pool.nextDeadline == at(6))
    #expect(pool.tick(now: at(5.9)) == [])
    #expect(pool.tick(now: at(6)) == [.fail(2, .timeout)])
    #expect(pool.release(1, .healthy, now: at(6.5)) == [.lease(1, to: 3)])
  }

  @Test("a server that cannot be reached is tried by one connection at a time, with growing pauses")
  func backoff() {
    var pool = machine(maximum: 4)
    _ = pool.acquire(1, now: start)
    _ = pool.acquire(2, now: start)
    #expect(pool.openFailed(1, now: start) == [.close(1)])
    #expect(pool.openFailed(2, now: start) == [.close(2)])
    #expect(pool.ended(1, now: start) == [])
    #expect(pool.ended(2, now: start) == [])
    #expect(pool.nextDeadline == at(0.2))
    #expect(pool.tick(now: at(0.1)) == [])
    #expect(pool.tick(now: at(0.2)) == [.open(3)])
    #expect(pool.openFailed(3, now: at(0.2)) == [.close(3)])
    #expect(pool.ended(3, now: at(0.2)) == [])
    #expect(pool.nextDeadline == at(0.5))  // 400 ms, bounded to 300
    #expect(pool.tick(now: at(0.5)) == [.open(4)])
    // Reached again: everybody who waits is served at once.
    #expect(pool.opened(4, now: at(0.5)) == [.lease(4, to: 1), .open(5)])
  }

  @Test("whose time is up while the server is away learns that")
  func unreachable() {
    var pool = machine(maximum: 1)
    _ = pool.acquire(1, now: start)
    _ = pool.openFailed(1, now: start)
    _ = pool.ended(1, now: start)
    #expect(pool.tick(now: at(5)).first == .fail(1, .unreachable))
  }

  @Test("a broken connection is replaced for whoever waits, never above the limit")
  func replacement() {
    var pool = machine(maximum: 1)
    _ = pool.acquire(1, now: start)
    _ = pool.opened(1, now: start)
    _ = pool.acquire(2, now: start)
    #expect(pool.release(1, .broken, now: start) == [.close(1)])
    #expect(pool.release(1, .healthy, now: start) == [])
    #expect(pool.ended(1, now: start) == [.open(2)])
    #expect(pool.opened(2, now: start) == [.lease(2, to: 2)])
  }

  @Test("connections in excess grow old and are closed; the one used last is used first")
  func idleness() {
    var pool = machine()
    _ = pool.acquire(1, now: start)
    _ = pool.acquire(2, now: start)
    _ = pool.opened(1, now: start)
    _ = pool.opened(2, now: start)
    _ = pool.release(1, .healthy, now: start)
    _ = pool.release(2, .healthy, now: at(1))
    #expect(pool.acquire(3, now: at(30)) == [.lease(2, to: 3)])
    _ = pool.release(2, .healthy, now: at(30))
    #expect(pool.nextDeadline == at(60))
    #expect(pool.tick(now: at(60)) == [.close(1)])
    #expect(pool.ended(1, now: at(60)) == [])
    #expect(pool.connectionCount == 1)
  }

  @Test("closing fails who waits, closes what is idle at once and the rest when it is given back")
  func closing() {
    var pool = machine()
    _ = pool.acquire(1, now: start)
    _ = pool.acquire(2, now: start)
    _ = pool.opened(1, now: start)
    _ = pool.opened(2, now: start)
    _ = pool.release(1, .healthy, now: start)
    #expect(pool.close() == [.close(1)])
    #expect(pool.acquire(4, now: start) == [.fail(4, .closed)])
    #expect(pool.ended(1, now: start) == [])
    #expect(pool.release(2, .healthy, now: start) == [.close(2)])
    #expect(pool.ended(2, now: start) == [.finished])
    #expect(pool.close() == [])
  }

  @Test("closing an unused pool is finished at once")
  func closingUnused() {
    var pool = machine()
    #expect(pool.close() == [.finished])
  }

  @Test("whatever happens in whatever order, every caller is answered exactly once and the limit holds")
  func anyOrder() {
    for seed in 0..<300 {
      var random = SeededRandom(seed: UInt64(seed))
      var pool = machine(maximum: 3)
      var now = start
      var opening: Set<Int> = []
      var leased: Set<Int> = []
      var closing: Set<Int> = []
      var answers: [Int: Int] = [:]
      var asked = 0
      var finished = 0

      func perform(_ actions: [PoolStateMachine.Action]) {
        for action in actions {
          switch action {
          case .open(let id): opening.insert(id)
          case .close(let id): closing.insert(id)
          case .lease(let id, let waiter):
            #expect(leased.insert(id).inserted)
            answers[waiter, default: 0] += 1
          case .fail(let waiter, _): answers[waiter, default: 0] += 1
          case .finished: finished += 1
          }
        }
        #expect(pool.connectionCount <= 3)
      }

      func step(_ choice: Int) {
        now = now + .milliseconds(Int(random.next() % 400))
        switch choice {
        case 0, 1, 2:
          asked += 1
          perform(pool.acquire(asked, now: now))
        case 3:
          if asked > 0 { perform(pool.cancel(Int(random.next() % UInt64(asked)) + 1)) }
        case 4: if let id = opening.popFirst() { perform(pool.opened(id, now: now)) }
        case 5: if let id = opening.popFirst() { perform(pool.openFailed(id, now: now)) }
        case 6: if let id = leased.popFirst() { perform(pool.release(id, .healthy, now: now)) }
        case 7: if let id = leased.popFirst() { perform(pool.release(id, .broken, now: now)) }
        case 8: if let id = closing.popFirst() { perform(pool.ended(id, now: now)) }
        default: perform(pool.tick(now: now))
        }
      }

      for _ in 0..<200 { step(Int(random.next() % 10)) }
      perform(pool.close())
      while let id = opening.popFirst() { perform(pool.opened(id, now: now)) }
      while let id = leased.popFirst() { perform(pool.release(id, .healthy, now: now)) }
      while let id = closing.popFirst() { perform(pool.ended(id, now: now)) }
      #expect(finished == 1)
      #expect(answers.count == asked)
      #expect(answers.values.allSatisfy { $0 == 1 })
    }
  }
}
