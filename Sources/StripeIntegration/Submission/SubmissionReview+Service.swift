import JSON
import StripeAPI
import StripeHTTP

/// What the configuration says about the service: its addresses, and that nothing is open by accident.
extension SubmissionReview {
  var endpoints: [SubmissionFinding] {
    [
      SubmissionFinding("Endpoints", "the backend is hosted, on HTTPS") {
        publicBaseURL.hasPrefix("https://") ? nil : "STRIPE_PUBLIC_BASE_URL is \(publicBaseURL)"
      },
      SubmissionFinding("Endpoints", "the content security policy names the backend, by path, and says why") {
        let policy = manifest["ui_extension"]?["content_security_policy"]
        let sources = policy?["connect-src"]?.array?.compactMap(\.string) ?? []
        guard sources.contains(publicBaseURL + "/stripe/app/") else {
          return "connect-src lacks \(publicBaseURL)/stripe/app/"
        }
        guard sources.allSatisfy({ $0.hasSuffix("/") && $0.hasPrefix("https://") }) else {
          return "every connect-src must be HTTPS and end with a slash"
        }
        return policy?["purpose"]?.string?.isEmpty ?? true ? "its purpose is missing" : nil
      },
      SubmissionFinding("Endpoints", "the views call the same backend") {
        let base = manifest["constants"]?["BASE_URL"]?.string
        return base == publicBaseURL
          ? nil : "constants.BASE_URL is \(base ?? "missing"), the service is \(publicBaseURL)"
      },
    ]
  }

  /// What must be closed unless it was opened deliberately.
  var defaults: [SubmissionFinding] {
    [
      SubmissionFinding("Defaults", "webhooks of each mode are checked by a secret") {
        unchecked(configuration.webhookSecrets).map { "there is no STRIPE_WEBHOOK_SECRET for \($0)" }
      },
      SubmissionFinding("Defaults", "requests of the Dashboard are checked by a secret in each mode") {
        unchecked(configuration.appSigningSecrets).map { "there is no STRIPE_APP_SIGNING_SECRET for \($0)" }
      },
      SubmissionFinding("Defaults", "cookies are sent over HTTPS only") {
        configuration.usesSecureCookies ? nil : "STRIPE_PUBLIC_BASE_URL is not HTTPS"
      },
      SubmissionFinding("Defaults", "only scripts of named origins may read the answers") {
        let origins = configuration.allowedOrigins
        if origins.isEmpty { return "STRIPE_APP_ALLOWED_ORIGINS names none" }
        return origins.first { $0 != "null" && !($0.hasPrefix("https://") && !$0.contains("*")) }
          .map { "STRIPE_APP_ALLOWED_ORIGINS has \($0)" }
      },
      SubmissionFinding("Defaults", "Stripe is called at its own address") {
        configuration.stripeAPIBaseURL == StripeClient.defaultBaseURL
          ? nil : "STRIPE_API_BASE_URL is \(configuration.stripeAPIBaseURL)"
      },
    ]
  }

  /// The first configured mode for which none of these secrets vouches.
  private func unchecked(_ secrets: IntegrationConfiguration.SigningSecrets) -> String? {
    func isEmpty(_ entries: [String]) -> Bool { entries.allSatisfy(\.isEmpty) }
    // Live mode's secrets vouch for the other environments too.
    guard isEmpty(secrets.live) else { return nil }
    if configuration.live != nil { return "live mode" }
    if configuration.test != nil, isEmpty(secrets.test) { return "test mode" }
    if configuration.sandbox != nil, isEmpty(secrets.sandbox) { return "the sandbox" }
    return nil
  }
}
