import Purchases
import StripeAPI
import StripeHTTP

/// What a browser brings to the callback.
struct CallbackRequest: Hashable, Sendable {
  var state: String?
  var code: String?
  var error: String?
}

/// How a visit to the install routes ends. Each outcome has a page of its own or a redirect.
enum InstallOutcome: Hashable, Sendable {
  /// The merchant clicked "cancel" at Stripe.
  case denied
  /// The installation began at Stripe, and it is not known by whom: it is linked to nobody.
  case stateMissing
  /// The state was never issued, is older than fifteen minutes, or was used before by another browser.
  case stateUnknown
  /// The browser is not the one that began the installation.
  case browserUnknown
  case codeMissing
  /// Stripe refuses the code: it was used, is older than five minutes, or is of another environment.
  case exchangeRefused
  /// Stripe refuses the developer's key; the operator must act.
  case keyRefused
  /// Stripe could not be reached; the state is used up.
  case exchangeUnavailable
  /// The tokens are of another mode than the one the installation began for. Nothing is stored.
  case otherMode(begunLive: Bool)
  /// The account is connected in another environment of the same mode. Nothing is stored.
  case otherEnvironment(connected: StripeEnvironment, begun: StripeEnvironment)
  /// The one-time link was used, has expired, or belongs to another account.
  case linkUnusable
  case modeNotConfigured(StripeEnvironment)
  case requestMalformed
  /// Redis or Postgres is down.
  case storageUnavailable
  /// This same callback is being processed.
  case inProgress
  /// This callback failed before.
  case failedBefore
  /// This callback succeeded before.
  case alreadyConnected(Tenant, StripeEnvironment)
  case connected(Tenant, StripeEnvironment)
}

/// The decisions of the callback, as pure functions.
enum InstallDecision {
  enum Step: Hashable, Sendable {
    case end(InstallOutcome)
    case exchange(code: String, InstallState)
  }

  /// What to do with a callback whose state was looked up, and thereby used up.
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

  /// Account and mode come only from the answer of the token endpoint. Its environment is the one that the installation began
  /// for, because Stripe accepted that environment's key.
  static func tenant(of grant: TokenGrant, begun state: InstallState) -> Result<Tenant, OtherMode> {
    guard grant.livemode == state.environment.livemode else { return .failure(OtherMode()) }
    return .success(Tenant(account: grant.account, livemode: grant.livemode))
  }

  struct OtherMode: Error, Hashable {}
}
