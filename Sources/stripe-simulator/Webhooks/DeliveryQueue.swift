/// One event on its way to one endpoint.
struct Delivery: Sendable {
  enum State: String, Sendable {
    case waiting, held
    case inFlight = "in_flight"
    case delivered, failed, dropped
  }

  struct Attempt: Sendable {
    var at: Int64
    /// Nil when no answer came.
    var status: Int?
    var milliseconds: Int64
    var error: String?
  }

  var id: Int64
  var tenant: Installation.Key
  var eventID: String
  var type: String
  var endpointID: String
  var state: State
  var attempts: [Attempt] = []
  /// Milliseconds on `Monotonic`.
  var due: Int64 = 0
  /// Goes out only after the first attempt of this delivery has ended.
  var after: Int64?

  var isPending: Bool { state == .waiting || state == .inFlight }
}

/// What the dispatcher needs to send one attempt.
struct OutgoingEvent: Sendable {
  var delivery: Int64
  var url: String
  var body: String
  var secrets: [String]
  var livemode: Bool
  var timeout: Duration
}

/// Endpoints and deliveries.
struct DeliveryQueue: Sendable {
  struct Settings: Sendable {
    /// The wait before the second attempt; each further wait doubles, up to `longestWait`.
    var baseMilliseconds: Int64 = 200
    var longestWait: Int64 = 30_000
    var maximumAttempts = 16
    var timeout: Duration = .seconds(10)
    var maximumInFlight = 64
    /// Finished deliveries that are remembered for the log.
    var remembered = 100_000
  }

  var settings = Settings()
  /// The simulator's own address, for links in objects.
  var baseURL = "http://127.0.0.1"
  var endpoints: [Endpoint] = []
  private(set) var deliveries: [Int64: Delivery] = [:]
  private(set) var order: [Int64] = []
  private(set) var inFlight = 0
  private var queue: [(due: Int64, id: Int64)] = []
  private var waitingFor: [Int64: [Int64]] = [:]
  private var pendingCount = 0
  private var nextID: Int64 = 0

  var pending: Int { pendingCount }

  /// Deliveries that wait or are on their way, of one account or of all.
  func pending(of account: String?) -> Int {
    guard let account else { return pendingCount }
    if pendingCount == 0 { return 0 }
    return deliveries.values.count { $0.isPending && $0.tenant.account == account }
  }
  var held: [Delivery] { order.compactMap { deliveries[$0] }.filter { $0.state == .held } }

  func endpoint(_ id: String) -> Endpoint? { endpoints.first { $0.id == id } }

  @discardableResult
  mutating func add(_ delivery: Delivery) -> Int64 {
    nextID += 1
    var delivery = delivery
    delivery.id = nextID
    deliveries[nextID] = delivery
    order.append(nextID)
    if delivery.state == .waiting {
      pendingCount += 1
      push(delivery.due, nextID)
    }
    forgetOldest()
    return nextID
  }

  /// Puts a held or finished delivery on its way again.
  mutating func requeue(_ id: Int64, due: Int64, after: Int64? = nil) {
    guard var delivery = deliveries[id], !delivery.isPending else { return }
    delivery.state = .waiting
    delivery.due = due
    delivery.after = after
    deliveries[id] = delivery
    pendingCount += 1
    push(due, id)
  }

  /// Deliveries that are due, marked as on their way, and when to look again.
  mutating func take(now: Int64) -> (deliveries: [Delivery], nextDue: Int64?) {
    var taken: [Delivery] = []
    while inFlight < settings.maximumInFlight, let first = queue.first, first.due <= now {
      pop()
      guard var delivery = deliveries[first.id], delivery.state == .waiting else { continue }
      if let predecessor = delivery.after, let other = deliveries[predecessor], other.isPending, other.attempts.isEmpty
      {
        waitingFor[predecessor, default: []].append(delivery.id)
        continue
      }
      delivery.state = .inFlight
      deliveries[first.id] = delivery
      inFlight += 1
      taken.append(delivery)
    }
    return (taken, inFlight < settings.maximumInFlight ? queue.first?.due : nil)
  }

  /// Books the result of an attempt; returns the delivery as it is now.
  mutating func finish(_ id: Int64, _ attempt: Delivery.Attempt, now: Int64) -> Delivery? {
    guard var delivery = deliveries[id] else { return nil }
    inFlight -= 1
    delivery.attempts.append(attempt)
    if let status = attempt.status, (200..<300).contains(status) {
      delivery.state = .delivered
      pendingCount -= 1
    } else if delivery.attempts.count >= settings.maximumAttempts {
      delivery.state = .failed
      pendingCount -= 1
    } else {
      delivery.state = .waiting
      let doubled = settings.baseMilliseconds << Int64(min(delivery.attempts.count - 1, 20))
      delivery.due = now + min(doubled, settings.longestWait)
      push(delivery.due, id)
    }
    deliveries[id] = delivery
    for successor in waitingFor.removeValue(forKey: id) ?? [] { push(now, successor) }
    return delivery
  }

  /// Gives up everything that still waits for this endpoint.
  mutating func abandon(endpoint: String) {
    for (id, delivery) in deliveries
    where delivery.endpointID == endpoint && (delivery.state == .waiting || delivery.state == .held) {
      if delivery.state == .waiting { pendingCount -= 1 }
      deliveries[id]?.state = .failed
      for successor in waitingFor.removeValue(forKey: id) ?? [] { push(0, successor) }
    }
  }

  private mutating func forgetOldest() {
    guard order.count > settings.remembered * 2 else { return }
    let surplus = order.prefix(order.count - settings.remembered)
    let kept = surplus.filter { id in
      guard let delivery = deliveries[id] else { return false }
      if delivery.isPending || delivery.state == .held { return true }
      deliveries[id] = nil
      return false
    }
    order = kept + order.suffix(settings.remembered)
  }

  // A binary heap by due time, then by id, so that equal times keep their order.
  private mutating func push(_ due: Int64, _ id: Int64) {
    queue.append((due, id))
    var child = queue.count - 1
    while child > 0, queue[child] < queue[(child - 1) / 2] {
      queue.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  private mutating func pop() {
    let last = queue.removeLast()
    guard !queue.isEmpty else { return }
    queue[0] = last
    var parent = 0
    while true {
      var smallest = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < queue.count && queue[child] < queue[smallest] {
        smallest = child
      }
      if smallest == parent { return }
      queue.swapAt(parent, smallest)
      parent = smallest
    }
  }
}

/// Milliseconds since the process started.
enum Monotonic {
  private static let start = ContinuousClock.now

  static func now() -> Int64 {
    let elapsed = ContinuousClock.now - start
    return elapsed.components.seconds * 1000 + elapsed.components.attoseconds / 1_000_000_000_000_000
  }
}
