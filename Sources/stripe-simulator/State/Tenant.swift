import JSON

/// One merchant account in one environment: its objects, events, clock and kept answers. Only the simulator actor touches it.
final class Tenant {
  let key: Installation.Key
  unowned let world: World
  /// Seconds that this merchant's clock is ahead of the world's.
  var offset: Int64 = 0
  /// While the clock is being advanced, the moment that has been reached.
  var moment: Int64?
  var tables: [Kind: ObjectTable] = [:]
  var events: [EventRecord] = []
  var eventPositions: [String: Int] = [:]
  /// The same by the ids that thin events have.
  var thinPositions: [String: Int] = [:]
  var alerts: [HealthAlert] = []
  var agenda = Agenda()
  /// What happens automatically on each test clock.
  var clockAgendas: [String: Agenda] = [:]
  /// The test clock whose time is now, while something of its customers happens.
  var clockInForce: String?
  var replies: [String: StoredReply] = [:]
  /// The API request that is being served, shown in the events it causes.
  var cause: EventRecord.Cause?
  var invoiceNumber: Int64 = 0

  init(key: Installation.Key, world: World) {
    self.key = key
    self.world = world
  }

  var account: String { key.account }
  var environment: Environment { key.environment }
  var livemode: Bool { environment.livemode }
  var now: Int64 { clockInForce.map(frozenTime) ?? moment ?? (world.now + offset) }
  var merchant: Merchant { world.merchant(key.account) }

  func table(_ kind: Kind) -> ObjectTable { tables[kind] ?? ObjectTable(indexed: kind.indexed) }

  func find(_ kind: Kind, _ id: String) -> Fields? { tables[kind]?[id] }

  /// The stored fields, or the answer for an id that names nothing here.
  func require(_ kind: Kind, _ id: String, parameter: String = "id") throws(StripeFailure) -> Fields {
    guard let found = find(kind, id) else { throw .missing(kind, id, parameter: parameter) }
    return found
  }

  func all(_ kind: Kind, where field: String, is value: String) -> [Fields] { tables[kind]?.all(field, value) ?? [] }

  /// Stores a new object and returns its id.
  @discardableResult
  func insert(_ kind: Kind, _ id: String, _ fields: Fields) -> String {
    tables[kind, default: ObjectTable(indexed: kind.indexed)].insert(id, serial: world.nextSerial(), fields)
    return id
  }

  /// Changes stored fields without sending an event.
  func edit(_ kind: Kind, _ id: String, _ change: (inout Fields) -> Void) {
    guard var fields = tables[kind]?[id] else { return }
    change(&fields)
    tables[kind]?.replace(id, fields)
  }

  func remove(_ kind: Kind, _ id: String) { tables[kind]?.remove(id) }

  /// Changes an object, and whatever belongs to it, and sends the event with `previous_attributes` if anything visible
  /// is different afterwards.
  @discardableResult
  func update(_ kind: Kind, _ id: String, event: String?, _ change: () -> Void) -> String? {
    let before = Rendering(self, kind, id)
    change()
    guard let event else { return nil }
    let after = Rendering(self, kind, id)
    if before == after { return nil }
    return emit(event, after, previous: before)
  }

  func plan(_ task: Agenda.Task, _ id: String, at moment: Int64) {
    if let clock = clock(of: id) {
      clockAgendas[clock, default: Agenda()].plan(task, id, at: moment, serial: world.nextSerial())
    } else {
      agenda.plan(task, id, at: moment, serial: world.nextSerial())
    }
  }

  func newID(_ kind: Kind) -> String {
    switch kind {
    case .session: "cs_\(livemode ? "live" : "test")_" + world.random.letters(58)
    default: world.newID(kind.prefix)
    }
  }
}

/// An answer kept under an idempotency key.
struct StoredReply: Sendable {
  var fingerprint: String
  var status: Int
  var body: String
  var requestID: String
  var storedAt: Int64
}
