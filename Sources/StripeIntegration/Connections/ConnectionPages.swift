import HTTPTypes
import ServerKit
import StripeAPI

/// The pages that a person sees if an installation ends without a redirect. The text says what happened and what to do; it
/// contains no ids and none of Stripe's words.
enum ConnectionPages {
  struct Page: Hashable {
    let status: HTTPResponse.Status
    let title: String
    let text: String
    /// Shows a link to start again.
    var offersInstall = true
  }

  /// A file of its own, because the pages' content security policy allows no inline style.
  static let stylesheetPath = "/stripe/pages.css"

  static let stylesheet = """
    :root { color-scheme: light dark; }
    body { margin: 0; min-height: 100vh; display: grid; place-items: center; font: 1rem/1.5 system-ui, sans-serif; }
    main { box-sizing: border-box; max-width: 38rem; margin: 1.5rem; padding: 2rem; border: 1px solid #8886; border-radius: .75rem; }
    h1 { margin: 0 0 .75rem; font-size: 1.4rem; }
    p { margin: .75rem 0 0; }
    a { display: inline-block; padding: .5rem 1rem; border-radius: .4rem; background: #635bff; color: #fff; text-decoration: none; }
    """

  /// - Parameter installPath: where an installation begins.
  static func html(_ page: Page, installPath: String, next: String? = nil) -> HTMLPage {
    let install: HTML =
      page.offersInstall ? "<p><a href=\"\(installPath)\">Start the installation</a></p>" : ""
    let go: HTML = next.map { "<p><a href=\"\($0)\">Continue</a></p>" } ?? ""
    return HTMLPage(
      title: page.title, body: "<main><h1>\(page.title)</h1><p>\(page.text)</p>\(go)\(install)</main>",
      stylesheet: stylesheetPath)
  }

  /// The page after an installation if no other address is configured. Anybody can see it, so it says nothing about any
  /// account.
  static func connected(_ environment: StripeEnvironment?) -> Page {
    Page(
      status: .ok, title: environment == .sandbox ? "Your sandbox is connected" : "Your Stripe account is connected",
      text:
        "From now on sales are seen here. Next, say which Stripe product gives which license: a mapping is made with "
        + "POST /stripe/admin/mappings, and sales that came before their mapping are fulfilled as soon as it is there. "
        + "What was sold before today is left alone unless you choose otherwise: POST /stripe/admin/backfill takes up "
        + "existing subscriptions and paid sessions, and with dry_run it first says what it would do.",
      offersInstall: false)
  }

  static func page(for outcome: InstallOutcome) -> Page {
    switch outcome {
    case .denied:
      Page(
        status: .forbidden, title: "Not connected",
        text: "The installation was cancelled at Stripe. Nothing was connected and nothing was changed.")
    case .stateMissing:
      Page(
        status: .badRequest, title: "One more step",
        text: "This installation was started at Stripe. So that your account cannot be connected by somebody else, "
          + "please start the installation from here; it takes one more click at Stripe.")
    case .stateUnknown:
      Page(
        status: .badRequest, title: "This link is no longer good",
        text: "It was used before, or it is older than fifteen minutes. If your account is connected already, there is "
          + "nothing to do; otherwise start the installation again.")
    case .browserUnknown:
      Page(
        status: .forbidden, title: "Not connected",
        text: "The installation must end in the browser in which it was started, with cookies allowed. Nothing was "
          + "connected. Please start it again.")
    case .codeMissing:
      Page(
        status: .badRequest, title: "Not connected",
        text: "Stripe sent no authorization code along. Nothing was connected. Please start the installation again.")
    case .exchangeRefused:
      Page(
        status: .badRequest, title: "Not connected",
        text:
          "Stripe did not accept the authorization code: it is good once and for five minutes. Nothing was connected. "
          + "Please start the installation again.")
    case .keyRefused:
      Page(
        status: .badGateway, title: "Not connected",
        text: "Stripe does not accept this service's own key. That is not your fault, and only its operator can put it "
          + "right. Nothing was connected.", offersInstall: false)
    case .exchangeUnavailable:
      Page(
        status: .serviceUnavailable, title: "Stripe could not be reached",
        text: "Nothing was connected. Please start the installation again in a moment.")
    case .otherMode(let begunLive):
      Page(
        status: .conflict, title: "Not connected",
        text:
          "This installation was started for \(begunLive ? "live" : "test") mode, but Stripe answered with an account in "
          + "\(begunLive ? "test" : "live") mode. Nothing was connected. Please start again and stay in one mode.")
    case .otherEnvironment(let connected, let begun):
      Page(
        status: .conflict, title: "Not connected",
        text:
          "This account is connected in \(connected.noun) already, and this installation was started for \(begun.noun). "
          + "An account is in one of the two. Nothing was stored, and the connection that is there goes on. If it is to "
          + "be in \(begun.noun), uninstall the app from the account first.", offersInstall: false)
    case .linkUnusable:
      Page(
        status: .gone, title: "This install link is used up",
        text:
          "An install link is good once, for one account, and for seven days. Nothing was connected. Please ask for a "
          + "new one.", offersInstall: false)
    case .modeNotConfigured(let environment):
      Page(
        status: .notFound, title: "This mode is not available",
        text: "This service is not set up for \(environment.noun) of Stripe.", offersInstall: false)
    case .requestMalformed:
      Page(
        status: .badRequest, title: "This address is not complete",
        text: "Something in the address is missing, repeated or misspelt. Please start the installation again.")
    case .storageUnavailable:
      Page(
        status: .serviceUnavailable, title: "Please try again",
        text:
          "This service cannot store anything at the moment. Nothing was connected. Please start the installation again "
          + "in a minute.")
    case .inProgress:
      Page(
        status: .accepted, title: "Almost done",
        text: "Your account is being connected. Please load this page again in a moment.", offersInstall: false)
    case .failedBefore:
      Page(
        status: .badRequest, title: "Not connected",
        text: "This installation did not succeed. Please start it again.")
    case .alreadyConnected(_, let environment), .connected(_, let environment):
      Page(
        status: .ok, title: "Connected",
        text: environment == .sandbox ? "Your sandbox is connected." : "Your Stripe account is connected.",
        offersInstall: false)
    }
  }
}
