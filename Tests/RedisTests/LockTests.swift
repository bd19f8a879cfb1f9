import Redis
import Synchronization
import TestSupport
import Testing

@Suite("Locks")
struct LockTests {
  let redis: RedisClient
  let prefix: String

  init() throws {
    prefix = try TestRedis.make().keyPrefix
    redis = try makeClient()
  }

  private final class Inside: Sendable {
    let now = Atomic(0)
    let most = Atomic(0)
    let entries = Atomic(0)

    func enter() {
      most.max(now.add(1, ordering: .sequentiallyConsistent).newValue, ordering: .sequentiallyConsistent)
      entries.add(1, ordering: .sequentiallyConsistent)
    }

    func leave() { now.subtract(1, ordering: .sequentiallyConsistent) }
  }

  @Test("Of 64 tasks racing for a lock one at a time gets it, and in the end all did")
  func exclusive() async throws {
    let (redis, name, inside) = (redis, "\(prefix)lock", Inside())
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<64 {
        group.addTask {
          while true {
            guard let lock = try await redis.lock(name, for: .seconds(30)) else { continue }
            inside.enter()
            for _ in 0..<5 { await Task.yield() }
            inside.leave()
            #expect(lock.isStillHeld)
            #expect(try await lock.release())
            return
          }
        }
      }
      try await group.waitForAll()
    }
    #expect(inside.most.load(ordering: .relaxed) == 1)
    #expect(inside.entries.load(ordering: .relaxed) == 64)
  }

  @Test("A lock ends by itself, and its old owner can then neither extend nor release the new owner's")
  func expiry() async throws {
    let name = "\(prefix)expiring"
    let old = try #require(try await redis.lock(name, for: .milliseconds(50)))
    var next: RedisLock?
    while next == nil { next = try await redis.lock(name, for: .seconds(10)) }
    let new = try #require(next)
    #expect(!old.isStillHeld)
    #expect(try await old.extended(for: .seconds(60)) == nil)
    #expect(try await !old.release())
    #expect(try await redis.lock(name, for: .seconds(10)) == nil)
    #expect(try await new.release())
    #expect(try await !new.release())
  }

  @Test("An extended lock lasts longer, here and in the server")
  func extending() async throws {
    let name = "\(prefix)extended"
    let lock = try #require(try await redis.lock(name, for: .seconds(30)))
    let longer = try #require(try await lock.extended(for: .seconds(120)))
    #expect(longer.deadline > lock.deadline + .seconds(50))
    #expect(try await redis.send(["PTTL", name]).integer.map { $0 > 80_000 } == true)
    #expect(try await longer.release())
  }
}
