import Foundation

/// The one place that touches the world: every request, delivery and tick goes through this actor.
actor Simulator {
  private let world: World
  private let signal: AsyncStream<Void>.Continuation
  /// Says that deliveries may be due.
  nonisolated let wakes: AsyncStream<Void>
  private var changes: UInt64 = 0

  init(seed: UInt64, prepare: @Sendable (World) throws -> Void) rethrows {
    (wakes, signal) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    world = World(seed: seed) { Int64(Date().timeIntervalSince1970) }
    try prepare(world)
    signal.yield()
  }

  nonisolated func wake() { signal.yield() }

  /// Reads or changes the world.
  func with<Result: Sendable>(_ body: @Sendable (World) throws -> Result) rethrows -> Result {
    let before = world.lastSerial
    defer {
      changes &+= 1
      if world.lastSerial != before || world.post.pending > 0 { signal.yield() }
    }
    return try body(world)
  }

  /// Looks at the world. `body` must leave it as it is: a change made here would not be saved.
  func read<Result: Sendable>(_ body: @Sendable (World) throws -> Result) rethrows -> Result { try body(world) }

  func takeDueEvents() -> (events: [OutgoingEvent], wait: Int64?) { world.takeDueEvents() }

  func finishDelivery(_ id: Int64, _ attempt: Delivery.Attempt) {
    changes &+= 1
    world.finishDelivery(id, attempt)
    signal.yield()
  }

  /// Counts changes, so that an unchanged world need not be written again.
  var changeCount: UInt64 { changes }
}
