import Delivery
import Logging
import ServerKit
import Synchronization
import Testing

@Suite("A claim of an endpoint queue")
struct DeliveryClaimTests {
  private final class Record: Sendable {
    private let state = Mutex((attempted: [Int](), underWay: 0, most: 0))
    var attempted: [Int] { state.withLock { $0.attempted } }
    var most: Int { state.withLock { $0.most } }
    func begin(_ item: Int) {
      state.withLock { state in
        state.attempted.append(item)
        state.underWay += 1
        state.most = max(state.most, state.underWay)
      }
    }
    func end() { state.withLock { $0.underWay -= 1 } }
  }

  private func run(
    _ items: [Int], width: Int = 4, time: Duration = .seconds(60),
    _ attempt: @escaping @Sendable (Int) async throws -> DeliveryResult?
  ) async throws -> (record: Record, summary: DeliveryClaim.Summary?) {
    let record = Record()
    var summary: DeliveryClaim.Summary?
    do {
      try await DeliveryClaim(width: width, time: time).run(
        due: { items },
        attempt: { item in
          record.begin(item)
          defer { record.end() }
          return try await attempt(item)
        }, note: { _ in }, end: { summary = $0 })
    } catch is Trouble {}
    return (record, summary)
  }

  private struct Trouble: Error {}

  @Test("one goes ahead, and when it has arrived so many are under way at a time, each once")
  func width() async throws {
    let (record, summary) = try await run(Array(0..<20)) { item in
      if item > 0 { try await Task.sleep(for: .milliseconds(5)) }
      return .arrived(status: 200)
    }
    #expect(record.attempted.sorted() == Array(0..<20) && record.attempted.first == 0)
    #expect((2...4).contains(record.most))
    #expect(summary?.arrived == 20 && summary?.failed == 0)
  }

  @Test("a receiver that asks to be left alone gets nothing more of what waits for it, whatever it took before")
  func asks() async throws {
    let (record, summary) = try await run(Array(0..<20), width: 1) { item in
      item < 3 ? .arrived(status: 200) : .failed("HTTP 429", status: 429, retryAfter: .seconds(item * 10))
    }
    #expect(record.attempted == [0, 1, 2, 3])
    #expect(summary?.arrived == 3 && summary?.retryAfter == .seconds(30))
  }

  @Test("while nothing has arrived the first failure ends it; later failures do not")
  func failures() async throws {
    let (dead, first) = try await run(Array(0..<20)) { _ in .failed("HTTP 500", status: 500) }
    #expect(dead.attempted == [0] && first?.failed == 1 && first?.error == "HTTP 500")
    let (mixed, second) = try await run(Array(0..<20)) { item in
      item.isMultiple(of: 2) ? .arrived(status: 200) : .failed("HTTP 500", status: 500)
    }
    #expect(mixed.attempted.count == 20 && second?.arrived == 10 && second?.failed == 10)
  }

  @Test("what says nothing about the receiver is not counted against it")
  func notOfReceiver() async throws {
    let (record, summary) = try await run([1, 2, 3]) { item in
      item == 1 ? .pointless("gone") : item == 2 ? .failed("x", isOfReceiver: false) : nil
    }
    #expect(record.attempted == [1, 2, 3] && summary?.failed == 0 && summary?.arrived == 0)
  }

  @Test("a claim that breaks is ended all the same, and said to be broken")
  func broken() async throws {
    let (_, summary) = try await run([1]) { _ in throw Trouble() }
    #expect(summary?.isBroken == true)
  }

  @Test("a claim whose time is over takes up nothing more")
  func time() async throws {
    let (record, _) = try await run(Array(0..<20), width: 1, time: .milliseconds(1)) { _ in
      try await Task.sleep(for: .milliseconds(20))
      return .arrived(status: 200)
    }
    #expect(record.attempted.count <= 2)
  }

  @Test("receivers are served beside each other, never more than so many, until the task ends")
  func rounds() async throws {
    let record = Record()
    let waiting = Mutex(Array(0..<12))
    let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
    let served = Task {
      await DeliveryRounds<Int>(
        concurrency: 3, pollInterval: .milliseconds(5), wakeUp: WakeUp(), logger: logger
      ).run(claim: { waiting.withLock { $0.isEmpty ? nil : $0.removeFirst() } }, tenant: { "\($0)" }) { queue in
        record.begin(queue)
        defer { record.end() }
        try? await Task.sleep(for: .milliseconds(5))
        // Trouble of one costs the others nothing.
        if queue == 3 { throw Trouble() }
      }
    }
    for _ in 0..<1_000 where record.attempted.count < 12 { try await Task.sleep(for: .milliseconds(5)) }
    served.cancel()
    await served.value
    #expect(record.attempted.sorted() == Array(0..<12))
    #expect((2...3).contains(record.most))
  }
}
