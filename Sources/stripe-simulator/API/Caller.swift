/// The caller of the API, with the merchant and the environment.
struct Caller {
  enum Kind {
    /// The app, through an access token or through the developer's key with `Stripe-Account`.
    case app(Installation)
    /// The merchant's own backend.
    case merchant
    /// The developer, not on behalf of a merchant.
    case developer(Developer)
  }

  let kind: Kind
  /// Whose objects the call sees. The developer's own account has none.
  let tenant: Tenant

  /// The merchant's account, if the call is about one.
  var account: String? {
    if case .developer = kind { return nil }
    return tenant.account
  }

  var isMerchant: Bool {
    if case .merchant = kind { return true }
    return false
  }

  static func identify(_ call: Call, _ world: World) throws(StripeFailure) -> Caller {
    guard let credential = call.credential else {
      throw StripeFailure(
        status: 401,
        message:
          "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth.",
        isStored: false)
    }
    if let token = world.grants.access[credential.secret] { return try app(token, credential, world) }
    if let developer = world.developer(secretKey: credential.secret) {
      let account = try oneOf(call.header("stripe-account"), call.header("stripe-context"))
      return try platform(developer, account: account, credential, world)
    }
    for merchant in world.merchants.values {
      guard let environment = merchant.environment(of: credential.secret) else { continue }
      return Caller(kind: .merchant, tenant: world.tenant(merchant.id, environment))
    }
    throw StripeFailure(status: 401, message: "Invalid API Key provided: \(credential.masked)", isStored: false)
  }

  /// A thin event's `context` is sent in a separate header, and means the same.
  private static func oneOf(_ account: String?, _ context: String?) throws(StripeFailure) -> String? {
    guard account == nil || context == nil else {
      throw .invalid("Stripe-Account and Stripe-Context cannot be sent together.", parameter: nil)
    }
    return account ?? context
  }

  private static func app(
    _ token: OAuthGrants.Token, _ credential: Credential, _ world: World
  ) throws(StripeFailure) -> Caller {
    guard !token.isRevoked, let installation = world.installations[token.installation], installation.isActive else {
      throw noAccess(token.installation.account, credential)
    }
    guard token.expiresAt > world.now else {
      throw StripeFailure(
        status: 401, code: "api_key_expired", message: "Expired API Key provided: \(credential.masked)", isStored: false
      )
    }
    return Caller(kind: .app(installation), tenant: world.tenant(token.installation))
  }

  private static func platform(
    _ developer: Developer, account: String?, _ credential: Credential, _ world: World
  ) throws(StripeFailure) -> Caller {
    guard let account else {
      return Caller(
        kind: .developer(developer), tenant: world.tenant(Developer.ownAccount, developer.environment))
    }
    guard let installation = world.installation(account, developer.environment), installation.isActive else {
      throw noAccess(account, credential)
    }
    return Caller(kind: .app(installation), tenant: world.tenant(installation.key))
  }

  private static func noAccess(_ account: String, _ credential: Credential) -> StripeFailure {
    StripeFailure(
      status: 403, code: "account_invalid",
      message:
        "The provided key '\(credential.masked)' does not have access to account '\(account)' (or that account does not exist). Application access may have been revoked.",
      isStored: false)
  }

  /// Refuses a route that is not for this caller.
  func check(_ route: Route) throws(StripeFailure) {
    if case .developer = kind, route.audience == .accounts {
      throw StripeFailure(
        status: 403,
        message: "The simulator keeps no objects in the developer's own account; name a merchant in Stripe-Account.")
    }
    try check(route.permission)
  }

  /// Refuses what the installed app has no permission for.
  func check(_ permission: String?) throws(StripeFailure) {
    guard let permission, case .app(let installation) = kind, !installation.allows(permission) else { return }
    throw StripeFailure(
      status: 403, code: "more_permissions_required_for_application",
      message:
        "The provided key does not have the required permissions for this endpoint. Having the '\(permission)' permission would allow this request to continue.",
      isStored: false)
  }
}
