import ServerKit
import Synchronization
import Testing

@testable import LicenseServer

@Suite("A keyed semaphore")
struct KeyedSemaphoreTests {
  @Test("as many pass as the width, the others wait in their order, and nothing is kept of who is gone")
  func order() {
    var queues = SemaphoreQueues<String, Int>(width: 2, maximumWaiting: 2)
    #expect((1...5).map { queues.enter("a", $0, $0) } == [.passes, .passes, .waits, .waits, .isRefused])
    #expect(queues.enter("b", 6, 6) == .passes, "other keys do not matter")
    #expect(queues.leave("a") == 3)
    #expect(queues.enter("a", 7, 7) == .waits, "nobody overtakes")
    #expect(queues.cancel("a", 4) == 4)
    #expect(queues.cancel("a", 4) == nil)
    #expect(queues.cancel("a", 3) == nil, "it passes already")
    #expect(queues.enter("a", 8, 8, isCancelled: true) == .isCancelled)
    #expect(queues.leave("a") == 7)
    #expect(queues.leave("a") == nil)
    #expect(queues.leave("a") == nil)
    #expect(queues.leave("b") == nil)
    #expect(queues.keys == 0)
  }

  @Test("never more than the width are inside, all get their turn, and failures pass it on")
  func crowd() async throws {
    let gate = KeyedSemaphore<Int>(width: 2)
    let inside = Mutex((now: 0, most: 0))
    struct Failure: Error {}
    let outcomes = try await concurrently(0..<500) { number in
      do {
        try await gate.withPermit(1) {
          inside.withLock {
            $0.now += 1
            $0.most = max($0.most, $0.now)
          }
          await Task.yield()
          inside.withLock { $0.now -= 1 }
          if number.isMultiple(of: 7) { throw Failure() }
        }
        return true
      } catch is Failure { return false }
    }
    #expect(outcomes.count { $0 } == 500 - 72)
    #expect(inside.withLock { $0.most } <= 2)
  }

  @Test("one that is cancelled while it waits leaves, and holds up nobody", .timeLimit(.minutes(1)))
  func cancelled() async throws {
    let gate = KeyedSemaphore<Int>(width: 1)
    let (stream, release) = AsyncStream<Void>.makeStream()
    let (entered, hasEntered) = AsyncStream<Void>.makeStream()
    async let first: Void = gate.withPermit(1) {
      hasEntered.finish()
      for await _ in stream {}
    }
    for await _ in entered {}
    let waiting = Task { try await gate.withPermit(1) {} }
    waiting.cancel()
    await #expect(throws: CancellationError.self) { try await waiting.value }
    async let last: Void = gate.withPermit(1) {}
    release.finish()
    try await first
    try await last
  }

  @Test("beyond the bound calls are told to come later")
  func full() async throws {
    let gate = KeyedSemaphore<Int>(width: 1, maximumWaiting: 0)
    let failure = await #expect(throws: APIFailure.self) {
      try await gate.withPermit(1) { try await gate.withPermit(1) {} }
    }
    #expect(failure?.code == "UNAVAILABLE")
    #expect(failure?.headers.first?.name == "Retry-After")
  }
}
