/// The behaviour of the pool as a value: an input returns the actions to perform, in order. It does no I/O and reads no
/// clock.
///
/// Promises: waiters are served first come, first served; each is answered exactly once; there are never more than
/// `maximumConnections`, counting those that are being opened or closed; while the server cannot be reached, one
/// connection at a time is tried, with growing pauses.
struct PoolStateMachine: Sendable {
  typealias ConnectionID = Int
  typealias WaiterID = Int
  typealias Instant = ContinuousClock.Instant

  struct Settings: Sendable {
    var maximumConnections: Int
    var acquireTimeout: Duration
    var idleLifetime: Duration
    var initialBackoff: Duration
    var maximumBackoff: Duration
  }

  enum Failure: Sendable, Equatable {
    case timeout
    /// Time is up, and the last attempt to connect had failed.
    case unreachable
    case cancelled
    case closed
  }

  enum Action: Sendable, Equatable {
    case lease(ConnectionID, to: WaiterID)
    case fail(WaiterID, Failure)
    case open(ConnectionID)
    case close(ConnectionID)
    /// The pool is closed and its last connection has ended.
    case finished
  }

  /// The state in which a connection is returned.
  enum Condition: Sendable, Equatable {
    case healthy
    case broken
    /// Broken, and a new connection could not be made.
    case unreachable
  }

  private enum Phase: Sendable, Equatable {
    case opening
    case idle(since: Instant)
    case leased
    case closing

    /// What happens to a connection. All that may happen stands in ``after(_:)``.
    enum Transition: Sendable {
      case leased
      case rested(since: Instant)
      case closed
    }

    /// The phase after a transition; nil if it is none that this phase allows.
    ///
    ///     opening ──leased──▶ leased ──rested──▶ idle
    ///        │ └──rested──▶ idle │ ◀──leased──────┘│
    ///        └──closed──▶ closing ◀──closed────────┘
    ///
    /// A connection that is closing ends, whatever it was before.
    func after(_ transition: Transition) -> Phase? {
      switch (self, transition) {
      case (.opening, .leased), (.idle, .leased), (.leased, .leased): .leased
      case (.opening, .rested(let since)), (.leased, .rested(let since)): .idle(since: since)
      case (.opening, .closed), (.idle, .closed), (.leased, .closed): .closing
      case (.closing, _), (.idle, .rested): nil
      }
    }
  }

  private struct Waiter: Sendable {
    var id: WaiterID
    var deadline: Instant
  }

  private let settings: Settings
  private var connections: [ConnectionID: Phase] = [:]
  /// Idle connections, the most recently used at the end. That one is taken first, so that surplus ones grow old.
  private var idle: [ConnectionID] = []
  private var waiters = FIFO<Waiter>()
  private var lastConnection = 0
  private var openingCount = 0
  private var failures = 0
  private var notBefore: Instant?
  private(set) var isClosed = false

  init(_ settings: Settings) { self.settings = settings }

  var connectionCount: Int { connections.count }
  var waiterCount: Int { waiters.count }
  var idleCount: Int { idle.count }

  // MARK: Callers

  mutating func acquire(_ waiter: WaiterID, now: Instant) -> [Action] {
    guard !isClosed else { return [.fail(waiter, .closed)] }
    if waiters.isEmpty, let connection = idle.popLast() {
      move(connection, .leased)
      return [.lease(connection, to: waiter)]
    }
    waiters.append(Waiter(id: waiter, deadline: now + settings.acquireTimeout))
    return openWhatIsMissing(now)
  }

  /// The caller gave up. Nothing happens when it was answered before.
  mutating func cancel(_ waiter: WaiterID) -> [Action] {
    waiters.removeFirst { $0.id == waiter } == nil ? [] : [.fail(waiter, .cancelled)]
  }

  mutating func release(_ connection: ConnectionID, _ condition: Condition, now: Instant) -> [Action] {
    guard connections[connection] == .leased else { return [] }
    switch condition {
    case .healthy:
      return hand(connection, now)
    case .broken, .unreachable:
      if condition == .unreachable { noteFailure(now) }
      move(connection, .closed)
      return [.close(connection)]
    }
  }

  // MARK: Connections

  mutating func opened(_ connection: ConnectionID, now: Instant) -> [Action] {
    guard connections[connection] == .opening else { return [] }
    openingCount -= 1
    failures = 0
    notBefore = nil
    return hand(connection, now) + openWhatIsMissing(now)
  }

  mutating func openFailed(_ connection: ConnectionID, now: Instant) -> [Action] {
    guard connections[connection] == .opening else { return [] }
    openingCount -= 1
    noteFailure(now)
    move(connection, .closed)
    return [.close(connection)]
  }

  /// The connection's thread has ended.
  mutating func ended(_ connection: ConnectionID, now: Instant) -> [Action] {
    guard let phase = connections.removeValue(forKey: connection) else { return [] }
    if phase == .opening { openingCount -= 1 }
    idle.removeAll { $0 == connection }
    if isClosed { return connections.isEmpty ? [.finished] : [] }
    return openWhatIsMissing(now)
  }

  // MARK: Time

  mutating func tick(now: Instant) -> [Action] {
    var actions: [Action] = []
    while let first = waiters.first, first.deadline <= now {
      _ = waiters.popFirst()
      actions.append(.fail(first.id, failures > 0 ? .unreachable : .timeout))
    }
    for connection in idle {
      guard case .idle(let since) = connections[connection], since + settings.idleLifetime <= now else { continue }
      move(connection, .closed)
      actions.append(.close(connection))
    }
    idle.removeAll { connections[$0] == .closing }
    return actions + openWhatIsMissing(now)
  }

  /// When `tick` has something to do, unless something else happens earlier.
  var nextDeadline: Instant? {
    var deadlines: [Instant] = []
    if let first = waiters.first {
      deadlines.append(first.deadline)
      if let notBefore, openingCount == 0, connections.count < settings.maximumConnections {
        deadlines.append(notBefore)
      }
    }
    if let oldest = idle.first, case .idle(let since) = connections[oldest] {
      deadlines.append(since + settings.idleLifetime)
    }
    return deadlines.min()
  }

  // MARK: The end

  mutating func close() -> [Action] {
    guard !isClosed else { return [] }
    isClosed = true
    var actions: [Action] = []
    while let waiter = waiters.popFirst() { actions.append(.fail(waiter.id, .closed)) }
    for connection in idle {
      move(connection, .closed)
      actions.append(.close(connection))
    }
    idle = []
    if connections.isEmpty { actions.append(.finished) }
    return actions
  }

  // MARK: Steps

  /// Every change of a connection's phase is one of the named transitions.
  private mutating func move(_ connection: ConnectionID, _ transition: Phase.Transition) {
    guard let phase = connections[connection], let next = phase.after(transition) else {
      assertionFailure("a connection cannot do this in its phase")
      return
    }
    connections[connection] = next
  }

  private mutating func hand(_ connection: ConnectionID, _ now: Instant) -> [Action] {
    if isClosed {
      move(connection, .closed)
      return [.close(connection)]
    }
    if let waiter = waiters.popFirst() {
      move(connection, .leased)
      return [.lease(connection, to: waiter.id)]
    }
    move(connection, .rested(since: now))
    idle.append(connection)
    return []
  }

  private mutating func noteFailure(_ now: Instant) {
    failures += 1
    var pause = settings.initialBackoff
    for _ in 1..<min(failures, 16) where pause < settings.maximumBackoff { pause = pause * 2 }
    notBefore = now + min(pause, settings.maximumBackoff)
  }

  private mutating func openWhatIsMissing(_ now: Instant) -> [Action] {
    guard !isClosed else { return [] }
    var actions: [Action] = []
    while openingCount < waiters.count, connections.count < settings.maximumConnections {
      if let notBefore, openingCount > 0 || now < notBefore { break }
      lastConnection += 1
      connections[lastConnection] = .opening
      openingCount += 1
      actions.append(.open(lastConnection))
    }
    return actions
  }
}
