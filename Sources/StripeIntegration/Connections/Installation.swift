import Cryptography
import Logging
import Redis
import StripeAPI
import StripeHTTP

/// Carries out an installation: from the install route to Stripe, and from the callback to a stored connection.
struct Installation: Sendable {
  let configuration: IntegrationConfiguration
  let store: ConnectionStore
  let states: InstallStates
  let links: InstallLinks
  let endpoint: TokenEndpoint

  /// An installation that may start.
  struct Start: Sendable {
    /// The authorize link with its whole query.
    let location: String
    let begun: InstallStates.Begun
  }

  enum Begin: Sendable {
    case go(Start)
    case end(InstallOutcome)
  }

  /// - Parameters:
  ///   - environment: nil for live mode if it is configured, else test mode, else the sandbox.
  ///   - link: the one-time link, if there is one.
  func begin(_ environment: StripeEnvironment?, link: String?) async throws -> Begin {
    let environment = environment ?? configuration.environments.first ?? .live
    guard let mode = configuration.mode(environment) else { return .end(.modeNotConfigured(environment)) }
    let linkHash = link.map { SHA256.hexHash($0) }
    if let linkHash, try await links.content(ofLinkHash: linkHash) == nil { return .end(.linkUnusable) }
    let begun = try await states.begin(environment, linkHash: linkHash)
    let location = mode.authorizeLink.url(
      clientID: mode.clientID, redirectURI: configuration.redirectURI, state: begun.state)
    return .go(Start(location: location, begun: begun))
  }

  /// - Parameter browser: returns the cookie with a name.
  func finish(_ request: CallbackRequest, browser: (String) -> String?, logger: Logger) async throws -> InstallOutcome {
    // This comes first, so that no callback is ever processed twice.
    var found: InstallStates.Found?
    if let state = request.state {
      found = try await states.consume(state, browser: browser(InstallStates.cookieName(of: state)))
    }
    switch InstallDecision.afterState(request, found: found) {
    case .end(let outcome):
      if case .fresh? = found { await note(outcome, request, logger) }
      return outcome
    case .exchange(let code, let state):
      // Continues if the browser gives up: an exchanged code is of no further use to anybody.
      let outcome = try await Task { try await self.exchange(code, state, logger) }.value
      await note(outcome, request, logger)
      return outcome
    }
  }

  private func exchange(_ code: String, _ state: InstallState, _ logger: Logger) async throws -> InstallOutcome {
    var licenseKit: ConnectionLicenseKit?
    if let linkHash = state.linkHash {
      licenseKit = try await links.content(ofLinkHash: linkHash)
      guard licenseKit != nil else { return .linkUnusable }
    }
    let grant: TokenGrant
    do throws(StripeOAuthError) {
      grant = try await endpoint.exchange(code: code, in: state.environment)
    } catch {
      logger.warning("the code of an installation was not exchanged", metadata: ["error": "\(error)"])
      return InstallDecision.afterFailedExchange(error)
    }
    guard case .success(let tenant) = InstallDecision.tenant(of: grant, begun: state) else {
      return .otherMode(begunLive: state.environment.livemode)
    }
    if let linkHash = state.linkHash, try await !links.claim(linkHash: linkHash, for: tenant) { return .linkUnusable }
    do {
      try await store.connect(
        grant, in: state.environment, licenseKit: licenseKit, apiAccess: configuration.apiAccess)
    } catch let error as ConnectionStore.OtherEnvironment {
      logger.warning(
        "an account that is connected came in another environment",
        metadata: ["tenant": "\(tenant)", "environment": "\(state.environment.rawValue)"])
      return .otherEnvironment(connected: error.connected, begun: state.environment)
    }
    logger.info(
      "the app was installed",
      metadata: ["tenant": "\(tenant)", "environment": "\(state.environment.rawValue)"])
    if let linkHash = state.linkHash {
      do {
        try await links.consume(linkHash: linkHash)
      } catch {
        // The claim keeps everybody else from using it.
        logger.warning("a used install link could not be removed", metadata: ["tenant": "\(tenant)"])
      }
    }
    return .connected(tenant, state.environment)
  }

  /// For a browser that asks again. Without Redis it gets the page for an unknown state.
  private func note(_ outcome: InstallOutcome, _ request: CallbackRequest, _ logger: Logger) async {
    guard let text = request.state else { return }
    let result =
      switch outcome {
      case .connected(let tenant, let environment):
        InstallResult(status: .connected, tenant: tenant, environment: environment)
      default: InstallResult(status: .failed)
      }
    do {
      try await states.finish(text, result)
    } catch {
      logger.warning("the result of an installation could not be noted", metadata: ["error": "\(error)"])
    }
  }
}
