/// Who makes an API call, for which merchant, in which mode.
struct Caller {
  enum Kind {
    /// The app, through an access token or through the developer's key with `Stripe-Account`.
    case app(Installation)
    /// The merchant's own backend.
    case merchant
  }

  let kind: Kind
  let tenant: Tenant

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
      return try platform(developer, account: call.header("stripe-account"), credential, world)
    }
    if let merchant = world.merchants.values.first(where: {
      $0.liveKey == credential.secret || $0.testKey == credential.secret
    }) {
      return Caller(kind: .merchant, tenant: world.tenant(merchant.id, livemode: merchant.liveKey == credential.secret))
    }
    throw StripeFailure(status: 401, message: "Invalid API Key provided: \(credential.masked)", isStored: false)
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
    let tenant = world.tenant(token.installation.account, livemode: token.installation.livemode)
    return Caller(kind: .app(installation), tenant: tenant)
  }

  private static func platform(
    _ developer: Developer, account: String?, _ credential: Credential, _ world: World
  ) throws(StripeFailure) -> Caller {
    guard let account else {
      throw StripeFailure(
        status: 403,
        message: "The simulator keeps no objects in the developer's own account; name a merchant in Stripe-Account.")
    }
    guard let installation = world.installation(account, livemode: developer.livemode), installation.isActive else {
      throw noAccess(account, credential)
    }
    return Caller(kind: .app(installation), tenant: world.tenant(account, livemode: developer.livemode))
  }

  private static func noAccess(_ account: String, _ credential: Credential) -> StripeFailure {
    StripeFailure(
      status: 403, code: "account_invalid",
      message:
        "The provided key '\(credential.masked)' does not have access to account '\(account)' (or that account does not exist). Application access may have been revoked.",
      isStored: false)
  }

  /// Refuses what the installed app was not granted.
  func check(_ permission: String?) throws(StripeFailure) {
    guard let permission, case .app(let installation) = kind, !installation.allows(permission) else { return }
    throw StripeFailure(
      status: 403, code: "more_permissions_required_for_application",
      message:
        "The provided key does not have the required permissions for this endpoint. Having the '\(permission)' permission would allow this request to continue.",
      isStored: false)
  }
}
