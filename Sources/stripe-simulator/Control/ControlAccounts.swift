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
    guard let merchant = world.merchants[account] else { throw .missing(noun: "account", account) }
    let tenant = world.tenant(account, try call.environment(of: merchant))
    switch (call.method, call.path.dropFirst(2).first, call.path.count) {
    case ("GET", nil, 2): return show(account, world)
    case ("PATCH", nil, 2), ("POST", nil, 2):
      try change(account, call.body, world)
      if let permissions = ControlSettings.permissions(call.body) {
        world.changeInstallation(tenant.key) { $0.permissions = permissions }
      }
      return show(account, world)
    case ("POST", "install", 3):
      return try ControlInstalls.install(merchant, tenant.environment, call, world)
    case ("POST", "uninstall", 3):
      return try recording(world) { () throws(StripeFailure) in
        world.uninstall(tenant.key, call.body.bool("silent") ? .silent : .byEvents)
        return Fields([])
      }
    case ("POST", "install_update", 3):
      return try recording(world) { () throws(StripeFailure) in try ControlInstalls.update(tenant, call.body) }
    case ("POST", "foreign_install", 3):
      return try recording(world) { () throws(StripeFailure) in try ControlInstalls.foreign(tenant, call.body) }
    case ("POST", "health_alert", 3):
      return try recording(world) { () throws(StripeFailure) in try ControlHealth.raise(tenant, call.body) }
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
    let environments: [Environment] = try call.environment() == .sandbox ? [.sandbox] : Merchant.bothModes
    let installs = body.texts("install").compactMap { Environment(rawValue: $0) }
    guard installs.count == body.texts("install").count, installs.allSatisfy(environments.contains) else {
      throw .invalid("install names environments of the account", parameter: "install")
    }
    let merchant = world.addMerchant(
      id: body.text("id"), name: body.text("name") ?? "Merchant \(world.merchants.count + 1)",
      email: body.text("email"),
      country: body.text("country") ?? "DE", currency: body.text("currency") ?? "eur", environments: environments)
    try change(merchant.id, body, world)
    var answer = show(merchant.id, world).asObject ?? Fields([])
    var keys = Fields([])
    for environment in environments { keys[environment.rawValue] = .string(merchant.key(environment)) }
    answer["keys"] = .object(keys)
    var catalogues = Fields([])
    if body.bool("catalogue") {
      for environment in environments {
        catalogues[environment.rawValue] = .object(makeCatalogue(world.tenant(merchant.id, environment)))
      }
      answer["catalogue"] = .object(catalogues)
    }
    for environment in installs {
      if let developer = world.developer(environment) { _ = world.install(merchant.id, developer: developer) }
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
    var installed = Fields([])
    for environment in merchant.environments.reversed() {
      installed[environment.rawValue] = .some(installation(account, environment, world))
    }
    return object([
      "id": .string(merchant.id), "name": .string(merchant.name), "email": .string(merchant.email),
      "country": .string(merchant.country), "currency": .string(merchant.currency),
      "api_version": .string(merchant.apiVersion.text), "dunning": .string(merchant.dunning.outcome.rawValue),
      "retry_days": .array(merchant.dunning.retryDays.map { .integer($0) }),
      "environments": strings(merchant.environments.map(\.rawValue)), "installed": .object(installed),
    ])
  }

  private static func installation(_ account: String, _ environment: Environment, _ world: World) -> JSONValue {
    guard let found = world.installation(account, environment) else { return .null }
    return object([
      "id": .string(found.id), "app": .string(found.appID), "active": flag(found.isActive),
      "client_id": .string(found.clientID), "installed_at": .integer(found.installedAt),
      "permissions": found.permissions.map { strings($0.sorted()) } ?? .null,
      "permissions_pending": strings(found.pending.sorted()), "approval_required": flag(found.isApprovalRequired),
    ])
  }
}
