import JSON

/// Test clocks (Stripe docs, Billing: test clocks): the clock of a customer decides the time for everything that is sold to
/// that customer. It changes only when it is advanced.
extension Tenant {
  /// `test_helpers.test_clock.created`.
  func createTestClock(frozenTime: Int64, name: String?) throws(StripeFailure) -> String {
    guard !livemode else { throw .invalid("Test clocks exist in test mode only.", parameter: nil) }
    let id = newID(.testClock)
    insert(
      .testClock, id,
      fields([
        "id": .string(id), "object": "test_helpers.test_clock", "created": .integer(now),
        "deletes_after": .integer(now + 30 * CalendarTime.day), "frozen_time": .integer(frozenTime),
        "livemode": false, "name": str(name), "status": "ready", "status_details": object(["advancing": .null]),
      ]))
    emit("test_helpers.test_clock.created", .testClock, id)
    return id
  }

  /// Runs everything that is due on the clock, each at its own time. The simulator finishes at once; Stripe first answers
  /// `advancing`.
  func advance(clock id: String, to target: Int64) throws(StripeFailure) {
    let clock = try require(.testClock, id)
    guard target > clock.number("frozen_time") ?? 0 else {
      throw .invalid("You cannot advance a test clock backwards.", parameter: "frozen_time")
    }
    edit(.testClock, id) {
      $0.merge([
        "status": "advancing",
        "status_details": object(["advancing": object(["target_frozen_time": .integer(target)])]),
      ])
    }
    emit("test_helpers.test_clock.advancing", .testClock, id)
    while let item = clockAgendas[id]?.next, item.at <= target {
      _ = clockAgendas[id]?.popNext()
      if item.at > frozenTime(id) { edit(.testClock, id) { $0["frozen_time"] = .integer(item.at) } }
      living(by: id) { run(item) }
    }
    edit(.testClock, id) {
      $0.merge([
        "frozen_time": .integer(target), "status": "ready", "status_details": object(["advancing": .null]),
      ])
    }
    emit("test_helpers.test_clock.ready", .testClock, id)
  }

  /// Deletes the clock, with its customers and their objects.
  func deleteTestClock(_ id: String) throws(StripeFailure) {
    _ = try require(.testClock, id)
    living(by: id) {
      for customer in all(.customer, where: "test_clock", is: id).compactMap({ $0.text("id") }) {
        deleteCustomer(customer)
      }
    }
    emit("test_helpers.test_clock.deleted", .testClock, id)
    clockAgendas[id] = nil
    remove(.testClock, id)
  }

  func frozenTime(_ clock: String) -> Int64 { find(.testClock, clock)?.number("frozen_time") ?? world.now + offset }

  /// Runs something at a clock's time, or at the merchant's if there is none.
  func living<Result, Failure: Error>(
    by clock: String?, _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let former = clockInForce
    clockInForce = clock ?? former
    defer { clockInForce = former }
    return try body()
  }

  /// The clock that an object follows; nil for the merchant's own time.
  func clock(of id: String) -> String? {
    guard let kind = Kind(id: id) else { return nil }
    if kind == .testClock { return find(kind, id) == nil ? nil : id }
    guard let fields = find(kind, id) else { return nil }
    if let clock = fields.text("test_clock") { return clock }
    for owner in ["customer", "subscription", "invoice", "charge"] {
      if let other = fields.text(owner), other != id, let clock = clock(of: other) { return clock }
    }
    return nil
  }

  /// The clock that a request's objects follow.
  func clock(in parameters: Fields, _ ids: [String] = []) -> String? {
    let names = ["subscription", "customer", "session", "invoice", "charge", "payment_intent", "item", "test_clock"]
    return (ids + names.compactMap { parameters.text($0) }).lazy.compactMap { self.clock(of: $0) }.first
  }
}
