import JSON
import ServerKit

/// Merchant accounts: making them, installing the app, moving their clock, and their scenarios.
enum ControlAccounts {
  static func answer(_ call: ControlCall, _ world: World) throws(StripeFailure) -> JSONValue {
    if call.path.count == 1 {
      if call.method == "POST" { return try create(call, world) }
      return .array(world.merchantOrder.map { show($0, world) })
    }
    let account = call.path[1]
    guard world.merchants[account] != nil else { throw .missing(noun: "account", account) }
    let tenant = world.tenant(account, livemode: call.livemode)
    switch (call.method, call.path.dropFirst(2).first, call.path.count) {
    case ("GET", nil, 2): return show(account, world)
    case ("PATCH", nil, 2), ("POST", nil, 2):
      try change(account, call.body, world)
      return show(account, world)
    case ("POST", "install", 3): return try install(account, call, world)
    case ("POST", "uninstall", 3):
      return try recording(world) { () throws(StripeFailure) in
        world.uninstall(tenant.key)
        return Fields([])
      }
    case ("POST", "advance", 3):
      return try recording(world) { () throws(StripeFailure) in
        let target = call.body.number("to") ?? (tenant.now + (call.body.number("seconds") ?? 0))
        tenant.advance(to: target)
        return fields(["now": .integer(tenant.now)])
      }
    case ("POST", "catalogue", 3):
      return try recording(world) { () throws(StripeFailure) in makeCatalogue(tenant) }
    case ("POST", "products", 3):
      return try recording(world) { () throws(StripeFailure) in try makeProduct(call.body, tenant) }
    case ("POST", "payment_links", 3):
      return try recording(world) { () throws(StripeFailure) in
        let id = tenant.createPaymentLink(
          try Routes.lineDrafts(call.body, "lines", tenant), metadata: call.body.object("metadata") ?? Fields([]),
          invoiceCreation: call.body.bool("invoice_creation"), trialDays: call.body.number("trial_days"))
        return fields(["payment_link": .string(id)])
      }
    case ("POST", "scenarios", 4):
      let name = call.path[3]
      return try recording(world) { () throws(StripeFailure) in
        try tenant.living(by: tenant.clock(in: call.body)) { () throws(StripeFailure) in
          try Scenarios.run(name, call.body, tenant)
        }
      }
    case ("POST", "test_clocks", 3):
      return try recording(world) { () throws(StripeFailure) in
        let id = try tenant.createTestClock(
          frozenTime: call.body.number("frozen_time") ?? tenant.now, name: call.body.text("name"))
        return fields(["test_clock": .string(id), "frozen_time": .integer(tenant.frozenTime(id))])
      }
    case ("POST", "test_clocks", 4):
      let id = call.path[3]
      return try recording(world) { () throws(StripeFailure) in
        _ = try tenant.require(.testClock, id)
        let target = call.body.number("to") ?? (tenant.frozenTime(id) + (call.body.number("seconds") ?? 0))
        try tenant.advance(clock: id, to: target)
        return fields(["test_clock": .string(id), "frozen_time": .integer(tenant.frozenTime(id))])
      }
    case ("GET", "clock", 3): return object(["now": .integer(tenant.now)])
    default: throw StripeFailure(status: 404, message: "No such control route.")
    }
  }

  /// Runs something and answers with the ids it made and the events it sent.
  private static func recording(
    _ world: World, _ body: () throws(StripeFailure) -> Fields
  ) throws(StripeFailure) -> JSONValue {
    let before = world.emitted.count
    let ids = try body()
    let events = world.emitted[before...].map { object(["id": .string($0.id), "type": .string($0.type)]) }
    return object(["ids": .object(ids), "events": .array(events)])
  }

  private static func create(_ call: ControlCall, _ world: World) throws(StripeFailure) -> JSONValue {
    let body = call.body
    if let id = body.text("id"), world.merchants[id] != nil {
      throw .invalid("The account \(id) exists already.", parameter: "id")
    }
    let merchant = world.addMerchant(
      id: body.text("id"), name: body.text("name") ?? "Merchant \(world.merchants.count + 1)",
      email: body.text("email"),
      country: body.text("country") ?? "DE", currency: body.text("currency") ?? "eur")
    try change(merchant.id, body, world)
    var answer = show(merchant.id, world).asObject ?? Fields([])
    answer["keys"] = object(["live": .string(merchant.liveKey), "test": .string(merchant.testKey)])
    var catalogues = Fields([])
    if body.bool("catalogue") {
      for livemode in [false, true] {
        catalogues[livemode ? "live" : "test"] = .object(makeCatalogue(world.tenant(merchant.id, livemode: livemode)))
      }
      answer["catalogue"] = .object(catalogues)
    }
    for mode in body.texts("install") {
      if let developer = world.developer(livemode: mode == "live") {
        _ = world.install(merchant.id, developer: developer)
      }
    }
    return .object(answer)
  }

  private static func change(_ account: String, _ body: Fields, _ world: World) throws(StripeFailure) {
    guard var merchant = world.merchants[account] else { return }
    if let version = body.text("api_version") {
      guard let parsed = APIVersion(version) else {
        throw .invalid("Invalid Stripe API version: \(version)", parameter: "api_version")
      }
      merchant.apiVersion = parsed
    }
    if let name = body.text("name") { merchant.name = name }
    if let dunning = body.text("dunning") {
      guard let outcome = Dunning.Outcome(rawValue: dunning) else {
        throw .invalid("dunning is canceled, unpaid or past_due", parameter: "dunning")
      }
      merchant.dunning.outcome = outcome
    }
    if let days = body["retry_days"]?.asArray { merchant.dunning.retryDays = days.compactMap(\.asInt) }
    world.merchants[account] = merchant
    if let permissions = ControlSettings.permissions(body) {
      let key = Installation.Key(account: account, livemode: body.bool("livemode"))
      world.installations[key]?.permissions = permissions
    }
  }

  /// An install that begins in the Dashboard: the callback address carries a code and no state.
  private static func install(_ account: String, _ call: ControlCall, _ world: World) throws(StripeFailure) -> JSONValue
  {
    guard let developer = world.developer(livemode: call.livemode) else {
      throw .invalid("There is no developer in that mode.", parameter: "livemode")
    }
    let before = world.emitted.count
    let code = world.install(account, developer: developer)
    if let permissions = ControlSettings.permissions(call.body) {
      world.installations[Installation.Key(account: account, livemode: call.livemode)]?.permissions = permissions
    }
    let redirect = call.body.text("redirect_uri") ?? developer.redirectURIs.first
    return object([
      "code": .string(code),
      "callback_url": str(
        redirect.map { AuthorizePage.appending([("code", code)], state: call.body.text("state"), to: $0) }),
      "events": .array(world.emitted[before...].map { object(["id": .string($0.id), "type": .string($0.type)]) }),
    ])
  }

  static func makeProduct(_ body: Fields, _ tenant: Tenant) throws(StripeFailure) -> Fields {
    let product = tenant.createProduct(
      name: body.text("name") ?? "Product", description: body.text("description"),
      metadata: body.object("metadata") ?? Fields([]))
    var prices: [JSONValue] = []
    for value in body.array("prices") {
      var price = value.asObject ?? Fields([])
      price["product"] = .string(product)
      prices.append(.string(tenant.createPrice(try Routes.priceDraft(price, tenant))))
    }
    return fields(["product": .string(product), "prices": .array(prices), "price": prices.first ?? .null])
  }

  /// Three products with prices, enough to sell something at once.
  static func makeCatalogue(_ tenant: Tenant) -> Fields {
    let currency = tenant.merchant.currency
    let perpetual = tenant.createProduct(name: "Desktop licence")
    let pro = tenant.createProduct(name: "Pro plan")
    let team = tenant.createProduct(name: "Team plan")
    func price(_ product: String, _ amount: Int64, _ interval: String?) -> JSONValue {
      .string(
        tenant.createPrice(PriceDraft(product: product, unitAmount: amount, currency: currency, interval: interval)))
    }
    return fields([
      "products": object(["perpetual": .string(perpetual), "pro": .string(pro), "team": .string(team)]),
      "prices": object([
        "perpetual": price(perpetual, 4900, nil), "pro_monthly": price(pro, 900, "month"),
        "pro_yearly": price(pro, 9000, "year"), "team_monthly": price(team, 2900, "month"),
      ]),
    ])
  }

  static func show(_ account: String, _ world: World) -> JSONValue {
    let merchant = world.merchant(account)
    func installation(_ livemode: Bool) -> JSONValue {
      guard let found = world.installation(account, livemode: livemode) else { return .null }
      return object([
        "active": flag(found.isActive), "client_id": .string(found.clientID),
        "installed_at": .integer(found.installedAt),
        "permissions": found.permissions.map { strings($0.sorted()) } ?? .null,
      ])
    }
    return object([
      "id": .string(merchant.id), "name": .string(merchant.name), "email": .string(merchant.email),
      "country": .string(merchant.country), "currency": .string(merchant.currency),
      "api_version": .string(merchant.apiVersion.text), "dunning": .string(merchant.dunning.outcome.rawValue),
      "retry_days": .array(merchant.dunning.retryDays.map { .integer($0) }),
      "installed": object(["live": installation(true), "test": installation(false)]),
    ])
  }
}
