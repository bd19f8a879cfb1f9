import Purchases
import StripeAPI
import StripeHTTP

/// What a browser brings to the callback.
struct CallbackRequest: Hashable, Sendable {
  var state: String?
  var code: String?
  var error: String?
}

/// How a visit to the install routes ends, each with a page of its own or a redirect.
enum InstallOutcome: Hashable, Sendable {
  /// The merchant clicked "cancel" at Stripe.
  case denied
  /// The installation was begun at Stripe's side, by whom is unknown: it is linked to nobody.
  case stateMissing
  /// Never issued, older than fifteen minutes, or used before by another browser.
  case stateUnknown
  /// The browser is not the one that began.
  case browserUnknown
  case codeMissing
  /// Stripe refuses the code: used, older than five minutes, or of another environment.
  case exchangeRefused
  /// Stripe refuses the developer's key; the operator must act.
  case keyRefused
  /// Stripe could not be asked; the state is used up.
  case exchangeUnavailable
  /// The tokens are of another mode than the installation was begun for. Nothing is stored.
  case otherMode(begunLive: Bool)
  /// The account is connected in another environment of the same mode. Nothing is stored.
  case otherEnvironment(connected: StripeEnvironment, begun: StripeEnvironment)
  /// The one-time link was used, is too old, or belongs to another account.
  case linkUnusable
  case modeNotConfigured(StripeEnvironment)
  case requestMalformed
  /// Redis or Postgres is away.
  case storageUnavailable
  /// This very callback is being worked on.
  case inProgress
  /// This callback failed before.
  case failedBefore
  /// This callback succeeded before.
  case alreadyConnected(Tenant, StripeEnvironment)
  case connected(Tenant, StripeEnvironment)
}

/// The decisions of the callback, apart from everything they are taken about.
enum InstallDecision {
  enum Step: Hashable, Sendable {
    case end(InstallOutcome)
    case exchange(code: String, InstallState)
  }

  /// What to do with a callback whose state was looked up (and is used up now).
  static func afterState(_ request: CallbackRequest, found: InstallStates.Found?) -> Step {
    guard request.error == nil else { return .end(.denied) }
    switch found {
    case nil: return .end(.stateMissing)
    case .unknown?: return .end(.stateUnknown)
    case .otherBrowser?: return .end(.browserUnknown)
    case .repeated(let result)?:
      switch (result.status, result.tenant) {
      case (.working, _): return .end(.inProgress)
      case (.connected, let tenant?):
        return .end(.alreadyConnected(tenant, result.environment ?? StripeEnvironment(livemode: tenant.livemode)))
      case (.connected, nil), (.failed, _): return .end(.failedBefore)
      }
    case .fresh(let state)?:
      guard let code = request.code, !code.isEmpty else { return .end(.codeMissing) }
      return .exchange(code: code, state)
    }
  }

  static func afterFailedExchange(_ error: StripeOAuthError) -> InstallOutcome {
    switch error {
    case .invalidGrant, .refused: .exchangeRefused
    case .rejectedCredential: .keyRefused
    case .rateLimited, .unavailable, .cancelled: .exchangeUnavailable
    }
  }

  /// The account and the mode come from the answer of the token endpoint and from nowhere else. That it is of the environment
  /// that was begun is what Stripe accepted that environment's key for.
  static func tenant(of grant: TokenGrant, begun state: InstallState) -> Result<Tenant, OtherMode> {
    guard grant.livemode == state.environment.livemode else { return .failure(OtherMode()) }
    return .success(Tenant(account: grant.account, livemode: grant.livemode))
  }

  struct OtherMode: Error, Hashable {}
}
