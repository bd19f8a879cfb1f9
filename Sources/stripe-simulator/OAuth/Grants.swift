import JSON

/// Codes and tokens of installed apps.
struct OAuthGrants: Sendable {
  struct Code: Sendable {
    var installation: Installation.Key
    var clientID: String
    var expiresAt: Int64
    var isUsed = false
  }

  struct Token: Sendable {
    var installation: Installation.Key
    var clientID: String
    var expiresAt: Int64
    /// Uninstalled, or replaced by newer tokens.
    var isRevoked = false
  }

  /// Stripe docs, Stripe Apps OAuth: a code lives five minutes, an access token an hour, a refresh token a year.
  static let codeLifetime: Int64 = 300
  static let accessLifetime: Int64 = 3600
  static let refreshLifetime: Int64 = 365 * CalendarTime.day

  var codes: [String: Code] = [:]
  var access: [String: Token] = [:]
  var refresh: [String: Token] = [:]

  /// Ends every code and token of an installation.
  mutating func revoke(_ installation: Installation.Key) {
    for (code, grant) in codes where grant.installation == installation { codes[code]?.isUsed = true }
    for (token, grant) in access where grant.installation == installation { access[token]?.isRevoked = true }
    for (token, grant) in refresh where grant.installation == installation { refresh[token]?.isRevoked = true }
  }
}

/// An error of the token endpoint: a plain string under `error`, unlike the API's error object.
struct OAuthFailure: Error, Sendable {
  var status = 400
  var error: String
  var description: String

  var body: JSONValue { object(["error": .string(error), "error_description": .string(description)]) }

  static func invalidGrant(_ description: String) -> OAuthFailure {
    OAuthFailure(error: "invalid_grant", description: description)
  }
}

extension World {
  /// The merchant grants the app: the installation is active, `account.application.authorized` and `apps.install.created` are
  /// sent, and a code can be exchanged. Another install grants what the app's newest version asks for.
  ///
  /// - Parameter permissions: what is granted; by default the app's whole list.
  func install(_ account: String, developer: Developer, permissions: Set<String>? = nil) -> String {
    let key = Installation.Key(account: account, environment: developer.environment)
    let former = installations[key].flatMap { $0.isActive && $0.appID == developer.appID ? $0 : nil }
    let installation = Installation(
      key: key, id: former?.id ?? newID(Installation.prefix(key.environment)), serial: former?.serial ?? nextSerial(),
      clientID: developer.clientID, appID: developer.appID, permissions: permissions ?? developer.permissions,
      isActive: true, installedAt: former?.installedAt ?? now)
    installations[key] = installation
    emitApplicationEvent("account.application.authorized", installation, developer.name)
    if let former {
      announceChange(of: key, before: former.rendering)
    } else {
      tenant(key).emit("apps.install.created", installation.rendering, previous: nil)
    }
    let code = "ac_" + random.letters(32)
    grants.codes[code] = OAuthGrants.Code(
      installation: key, clientID: developer.clientID, expiresAt: now + OAuthGrants.codeLifetime)
    return code
  }

  /// How an uninstallation is reported.
  enum Farewell {
    case byEvents
    /// Both events are lost: only the list of installs shows it.
    case silent
  }

  /// The merchant removes the app: tokens are dead before `account.application.deauthorized` and `apps.install.deleted`
  /// arrive.
  func uninstall(_ key: Installation.Key, _ farewell: Farewell = .byEvents) {
    guard var installation = installations[key], installation.isActive else { return }
    installation.isActive = false
    installations[key] = installation
    grants.revoke(key)
    guard farewell == .byEvents else { return }
    if let developer = developer(clientID: installation.clientID) {
      emitApplicationEvent("account.application.deauthorized", installation, developer.name)
    }
    tenant(key).emit("apps.install.deleted", installation.rendering, previous: nil)
  }

  /// Changes what an installation may do, and sends `apps.install.updated`.
  func changeInstallation(_ key: Installation.Key, _ change: (inout Installation) -> Void) {
    guard let former = installations[key] else { return }
    var installation = former
    change(&installation)
    installations[key] = installation
    if installation.isActive { announceChange(of: key, before: former.rendering) }
  }

  private func announceChange(of key: Installation.Key, before: Rendering) {
    guard let after = installations[key]?.rendering, after != before else { return }
    tenant(key).emit("apps.install.updated", after, previous: before)
  }

  private func emitApplicationEvent(_ type: String, _ installation: Installation, _ name: String) {
    let id = installation.clientID
    let application = fields(["id": .string(id), "object": "application", "name": .string(name)])
    tenant(installation.key).emit(type, Rendering(id: id, old: application, new: application), previous: nil)
  }

  /// `POST /v1/oauth/token`. The secret key of the same mode authenticates; nothing else does.
  func exchange(secretKey: String?, parameters: Fields) throws(OAuthFailure) -> JSONValue {
    guard let secretKey, let developer = developer(secretKey: secretKey) else {
      throw OAuthFailure(
        status: 401, error: "invalid_client", description: "No such API key, or it is not a secret key.")
    }
    switch parameters.text("grant_type") {
    case "authorization_code":
      return try exchangeCode(parameters.text("code") ?? "", developer)
    case "refresh_token":
      return try exchangeRefreshToken(parameters.text("refresh_token") ?? "", developer)
    case nil:
      throw OAuthFailure(error: "invalid_request", description: "No grant type specified.")
    case .some(let other):
      throw OAuthFailure(error: "unsupported_grant_type", description: "This grant type is not supported: \(other)")
    }
  }

  private func exchangeCode(_ code: String, _ developer: Developer) throws(OAuthFailure) -> JSONValue {
    guard let grant = grants.codes[code] else { throw .invalidGrant("Authorization code does not exist") }
    guard grant.clientID == developer.clientID else {
      throw .invalidGrant("Authorization code provided does not belong to you")
    }
    guard !grant.isUsed else { throw .invalidGrant("This authorization code has already been used") }
    guard grant.expiresAt > now else { throw .invalidGrant("Authorization code expired") }
    grants.codes[code]?.isUsed = true
    return issueTokens(grant.installation, developer)
  }

  private func exchangeRefreshToken(_ token: String, _ developer: Developer) throws(OAuthFailure) -> JSONValue {
    guard let grant = grants.refresh[token] else { throw .invalidGrant("Invalid refresh token") }
    guard grant.clientID == developer.clientID else { throw .invalidGrant("Refresh token does not belong to you") }
    guard !grant.isRevoked, installations[grant.installation]?.isActive == true else {
      throw .invalidGrant("This refresh token has been used, rolled or revoked")
    }
    guard grant.expiresAt > now else { throw .invalidGrant("This refresh token has expired") }
    grants.refresh[token]?.isRevoked = true
    return issueTokens(grant.installation, developer)
  }

  private func issueTokens(_ key: Installation.Key, _ developer: Developer) -> JSONValue {
    let access = "at_" + random.letters(48)
    let refresh = "rt_" + random.letters(48)
    grants.access[access] = OAuthGrants.Token(
      installation: key, clientID: developer.clientID, expiresAt: now + OAuthGrants.accessLifetime)
    grants.refresh[refresh] = OAuthGrants.Token(
      installation: key, clientID: developer.clientID, expiresAt: now + OAuthGrants.refreshLifetime)
    return object([
      "access_token": .string(access), "livemode": flag(key.environment.livemode), "refresh_token": .string(refresh),
      "scope": "stripe_apps",
      "stripe_publishable_key": .string("pk_\(key.environment.livemode ? "live" : "test")_\(key.account.dropFirst(5))"),
      "stripe_user_id": .string(key.account), "token_type": "bearer",
    ])
  }
}
