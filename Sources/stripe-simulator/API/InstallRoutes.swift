import JSON

extension Routes {
  /// The Install API (Stripe docs, API: app installs). The developer's key sees its app's installs in all accounts of its
  /// environment; any other key those of one account.
  static let installs: [Route] = [
    Route(
      "GET", "apps/installs", nil,
      Listing.parameters.union(["app", "account", "approval_required", "channel", "created", "created_by", "status"]),
      audience: .developerToo
    ) { tenant, input throws(StripeFailure) in try list(tenant, input) },
    Route("GET", "apps/installs/{}", nil, [], audience: .developerToo) { tenant, input throws(StripeFailure) in
      .object(try find(tenant, input).shown())
    },
    Route("POST", "apps/installs/{}", nil, [], audience: .developerToo) { tenant, input throws(StripeFailure) in
      let install = try find(tenant, input)
      // Only the installing account can grant new access (Stripe docs, API: reauthorize an app install).
      guard input.caller.isMerchant || install.pending.isEmpty else {
        throw StripeFailure(
          status: 403,
          message: "An app developer cannot grant new access: the account '\(install.key.account)' has to agree to it.")
      }
      caused(by: tenant, on: install.key) { tenant.world.changeInstallation(install.key) { $0.grantPending() } }
      return .object(try find(tenant, input).shown())
    },
    Route("POST", "apps/installs/{}/uninstall", nil, [], audience: .developerToo) {
      tenant, input throws(StripeFailure) in
      let install = try find(tenant, input)
      caused(by: tenant, on: install.key) { tenant.world.uninstall(install.key) }
      return .object((tenant.world.installations[install.key] ?? install).shown())
    },
  ]

  /// The installs that a caller may see, in the order they were made.
  private static func visible(_ tenant: Tenant, _ input: RouteInput) -> [Installation] {
    let active = tenant.world.installations.values.filter { $0.isActive && $0.key.environment == tenant.environment }
    switch input.caller.kind {
    case .developer(let developer):
      return active.filter { $0.appID == developer.appID }.sorted { $0.serial < $1.serial }
    case .app, .merchant:
      return active.filter { $0.key == tenant.key }
    }
  }

  private static func find(_ tenant: Tenant, _ input: RouteInput) throws(StripeFailure) -> Installation {
    guard let found = visible(tenant, input).first(where: { $0.id == input.id }) else {
      throw .missing(noun: "app install", input.id)
    }
    return found
  }

  private static func list(_ tenant: Tenant, _ input: RouteInput) throws(StripeFailure) -> JSONValue {
    let installs = visible(tenant, input)
    let places = Dictionary(installs.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
    return try Listing.page(
      of: installs.map(\.id), input, isNewestFirst: true,
      position: { cursor throws(StripeFailure) in
        guard let install = places[cursor] else {
          throw .missing(noun: "app install", cursor, parameter: "starting_after")
        }
        return install.serial
      },
      serial: { places[$0]?.serial ?? 0 },
      show: { id in
        guard let shown = places[id]?.shown(),
          ["app", "account", "approval_required", "channel", "created_by", "status"].allSatisfy({ name in
            input.parameters.text(name).map { $0 == shown[name]?.plainText } ?? true
          }),
          Listing.isInRange(shown.number("created") ?? 0, input.parameters["created"])
        else { return nil }
        return .object(shown)
      })
  }

  /// Events of the installation name the request that caused them, whichever client made it.
  private static func caused(by caller: Tenant, on key: Installation.Key, _ body: () -> Void) {
    let target = caller.world.tenant(key)
    let former = target.cause
    target.cause = caller.cause
    defer { target.cause = former }
    body()
  }
}

extension Installation {
  /// Grants what is pending.
  mutating func grantPending() {
    permissions?.formUnion(pending)
    pending = []
    isApprovalRequired = false
  }

  /// A new version of the app asks for more.
  mutating func ask(for asked: Set<String>, isApprovalRequired: Bool) {
    pending = asked
    permissions?.subtract(asked)
    self.isApprovalRequired = isApprovalRequired
  }
}
