import JSON

extension Routes {
  static let testClocks: [Route] = [
    Route("GET", "test_helpers/test_clocks", "test_clock_read", Listing.parameters) {
      tenant, input throws(StripeFailure) in try Listing.page(tenant, .testClock, input)
    },
    retrieve("test_helpers/test_clocks", .testClock),
    Route("POST", "test_helpers/test_clocks", "test_clock_write", ["frozen_time", "name"]) {
      tenant, input throws(StripeFailure) in
      guard let time = input.parameters.number("frozen_time") else { throw .requiredParameter("frozen_time") }
      let id = try tenant.createTestClock(frozenTime: time, name: input.parameters.text("name"))
      return tenant.value(.testClock, id, input.shape)
    },
    Route("POST", "test_helpers/test_clocks/{}/advance", "test_clock_write", ["frozen_time"]) {
      tenant, input throws(StripeFailure) in
      guard let time = input.parameters.number("frozen_time") else { throw .requiredParameter("frozen_time") }
      try tenant.advance(clock: input.id, to: time)
      return tenant.value(.testClock, input.id, input.shape)
    },
    Route("DELETE", "test_helpers/test_clocks/{}", "test_clock_write", []) { tenant, input throws(StripeFailure) in
      try tenant.deleteTestClock(input.id)
      return object(["id": .string(input.id), "object": "test_helpers.test_clock", "deleted": true])
    },
  ]
}
