import ServerKit
import Synchronization
import Testing

@Suite("An expiring cache")
struct ExpiringCacheTests {
  /// A clock that a test moves.
  private final class Clock: Sendable {
    private let moment = Mutex(ContinuousClock.now)
    var now: ContinuousClock.Instant { moment.withLock { $0 } }
    func pass(_ time: Duration) { moment.withLock { $0 = $0 + time } }
  }

  @Test("gives a value until its time is over, and as the last known one after that")
  func expires() {
    let clock = Clock()
    let cache = ExpiringCache<String, Int>(capacity: 9, now: { clock.now })
    #expect(cache["a"] == nil && cache.last("a") == nil)
    cache.insert(1, for: "a", lasting: .seconds(60))
    clock.pass(.seconds(59))
    #expect(cache["a"] == 1)
    clock.pass(.seconds(1))
    #expect(cache["a"] == nil && cache.last("a") == 1)
    cache.insert(2, for: "a", lasting: .seconds(60))
    #expect(cache["a"] == 2)
    cache.remove("a")
    #expect(cache["a"] == nil && cache.last("a") == nil)
  }

  @Test("never holds more than its capacity, and gives up what has expired first")
  func bounded() {
    let clock = Clock()
    let cache = ExpiringCache<Int, Int>(capacity: 3, now: { clock.now })
    cache.insert(0, for: 0, lasting: .seconds(1))
    for key in 1...2 { cache.insert(key, for: key, lasting: .seconds(60)) }
    clock.pass(.seconds(2))
    cache.insert(3, for: 3, lasting: .seconds(60))
    #expect((0...3).map { cache.last($0) } == [nil, 1, 2, 3])
    // A known key needs no room.
    cache.insert(30, for: 3, lasting: .seconds(60))
    #expect((0...3).map { cache.last($0) } == [nil, 1, 2, 30])
    cache.insert(4, for: 4, lasting: .seconds(60))
    #expect((0...4).map { cache.last($0) } == [nil, nil, nil, nil, 4])
  }

  @Test("keeps what is there when that makes the new value useless, even if it has expired")
  func outdated() {
    let clock = Clock()
    let cache = ExpiringCache<String, Int>(capacity: 3, now: { clock.now })
    cache.insert(5, for: "generation", lasting: .seconds(1))
    cache.insert(4, for: "generation", lasting: .seconds(60), unless: { $0 > 4 })
    #expect(cache["generation"] == 5)
    clock.pass(.seconds(2))
    cache.insert(4, for: "generation", lasting: .seconds(60), unless: { $0 > 4 })
    #expect(cache["generation"] == nil)
    cache.insert(6, for: "generation", lasting: .seconds(60), unless: { $0 > 6 })
    #expect(cache["generation"] == 6)
  }
}
