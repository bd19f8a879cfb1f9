package import Foundation
package import HTTPTransport
import JSON
import StripeAPI
import StripeHTTP

/// Sends the running service, at its public address, the requests that a reviewer's browser, the Dashboard and Stripe would
/// send. It leaves nothing behind, except that the service reads Stripe's list of installations once more.
package struct SubmissionProbe: Sendable {
  let configuration: IntegrationConfiguration
  let transport: any HTTPSending
  let now: @Sendable () -> Date

  /// - Parameter now: the time in the signatures of deliveries.
  package init(
    configuration: IntegrationConfiguration, transport: any HTTPSending,
    now: @escaping @Sendable () -> Date = { Date() }
  ) {
    self.configuration = configuration
    self.transport = transport
    self.now = now
  }

  private var publicBaseURL: String { configuration.publicBaseURL }

  /// The result of each probe. If the service does not answer, all fail.
  package func findings() async -> [SubmissionFinding] {
    var findings: [SubmissionFinding] = []
    for probe in probes {
      let problem: String?
      do {
        problem = try await probe.body()
      } catch {
        problem = "\(publicBaseURL) does not answer: \(error)"
      }
      findings.append(SubmissionFinding(probe.area, probe.requirement, problem: problem))
    }
    return findings
  }

  private struct Probe: Sendable {
    let area: String
    let requirement: String
    let body: @Sendable () async throws -> String?

    init(_ area: String, _ requirement: String, _ body: @escaping @Sendable () async throws -> String?) {
      self.area = area
      self.requirement = requirement
      self.body = body
    }
  }

  private var probes: [Probe] {
    [
      Probe("Reliability", "the service is ready") { Self.expect(200, try await send("GET", "/readyz")) }
    ] + installation + dashboard + webhooks
  }

  // MARK: Installation

  private var installation: [Probe] {
    [
      Probe("OAuth", "the public link starts at this service and leads to Stripe's authorize page") {
        let answer = try await send("GET", "/stripe/oauth/install?mode=live")
        if let problem = Self.expect(302, answer) { return problem }
        let target = answer.headers["Location"] ?? ""
        if let mark = ChannelLink.mark(in: target) {
          return "it is an external test's link (\(mark)); set STRIPE_AUTHORIZE_URL to the public one"
        }
        return target.hasPrefix(AuthorizeLink.defaultBase + "?") ? nil : "it leads to \(target.prefix { $0 != "?" })"
      },
      Probe("OAuth", "each installation has a state of its own, kept in the browser that began it") {
        var states: Set<String> = []
        for _ in 0..<2 {
          let answer = try await send("GET", "/stripe/oauth/install")
          if let problem = Self.expect(302, answer) { return problem }
          let target = URLComponents(string: answer.headers["Location"] ?? "")
          guard let state = target?.queryItems?.first(where: { $0.name == "state" })?.value, state.count >= 16 else {
            return "the authorize link has no state"
          }
          if !states.insert(state).inserted { return "two installations have the same state" }
          if let problem = cookieProblem(answer.headers.all("Set-Cookie")) { return problem }
        }
        return nil
      },
      Probe("OAuth", "a callback without a state, or with one that was not given out, is refused") {
        for query in ["code=ac_review", "code=ac_review&state=review"] {
          let answer = try await send("GET", "/stripe/oauth/callback?\(query)")
          guard (400..<500).contains(answer.status) else {
            return "it answers \(answer.status) to ?\(query)"
          }
        }
        return nil
      },
    ]
  }

  private func cookieProblem(_ cookies: [String]) -> String? {
    guard let cookie = cookies.first else { return "it sets no cookie" }
    let attributes = cookie.lowercased().split(separator: ";").map { $0.trimmingCharacters(in: .whitespaces) }
    if !attributes.contains("httponly") { return "scripts may read its cookie" }
    if configuration.usesSecureCookies, !attributes.contains("secure") {
      return "its cookie is sent over plain HTTP too"
    }
    return nil
  }

  // MARK: The Dashboard

  private var dashboard: [Probe] {
    [
      Probe("Endpoints", "the sandboxed frame may call it") {
        let answer = try await send("OPTIONS", "/stripe/app/customer", Self.preflight(from: "null"))
        guard answer.headers["Access-Control-Allow-Origin"] == "null" else {
          return
            "STRIPE_APP_ALLOWED_ORIGINS is \(configuration.allowedOrigins.joined(separator: ",")); null is not allowed"
        }
        return Self.expect(204, answer)
      },
      Probe("Endpoints", "an unsigned request is refused, and a script can read the refusal") {
        let answer = try await send("POST", "/stripe/app/customer", [("Origin", "null")])
        guard answer.headers["Access-Control-Allow-Origin"] == "null" else { return "the refusal has no CORS headers" }
        return Self.expect(401, answer)
      },
      Probe("Defaults", "scripts of other pages may not read the answers") {
        let answer = try await send("OPTIONS", "/stripe/app/customer", Self.preflight(from: "https://review.example"))
        return answer.headers["Access-Control-Allow-Origin"].map { "https://review.example is allowed with \($0)" }
      },
      Probe("Defaults", "nothing of any account is shown without a token") {
        Self.expect(401, try await send("GET", "/stripe/admin/connections"))
      },
    ]
  }

  private static func preflight(from origin: String) -> [(String, String)] {
    [
      ("Origin", origin), ("Access-Control-Request-Method", "POST"),
      ("Access-Control-Request-Headers", "content-type,stripe-signature"),
    ]
  }

  // MARK: Webhooks

  private var webhooks: [Probe] {
    [
      Probe("Endpoints", "webhooks that Stripe did not sign are refused") {
        Self.expect(400, try await send("POST", "/stripe/webhook"))
      }
    ]
      + SubmissionReview.uninstallEvents.map { type in
        Probe("Uninstall", "\(type) is accepted only with Stripe's signature") { try await deliver(type) }
      }
  }

  /// An event that names no account is about the developer's own account: it is checked like any other, and stored nowhere.
  private func deliver(_ type: String) async throws -> String? {
    let secrets = configuration.webhookSecrets
    let environments = [
      ("live mode", secrets.live, true), ("test mode", secrets.test, false), ("the sandbox", secrets.sandbox, false),
    ]
    for (environment, secrets, livemode) in environments {
      let event: JSONValue = [
        "id": "evt_review", "object": "event", "type": .string(type), "livemode": .bool(livemode),
        "created": .integer(Int64(now().timeIntervalSince1970)), "data": ["object": ["id": "ca_review"]],
      ]
      let body = Array(event.text().utf8)
      for (number, secret) in secrets.enumerated() {
        guard let secret = try? WebhookSecret(secret) else { continue }
        let signature = WebhookSignature.sign(payload: body, secrets: [secret], at: now())
        let answer = try await send("POST", "/stripe/webhook", [("Stripe-Signature", signature)], body)
        if answer.status != 200 {
          return "it answers \(answer.status) to one signed with secret \(number + 1) of \(environment)"
        }
        let forged = try await send("POST", "/stripe/webhook", [("Stripe-Signature", signature)], body + [0x20])
        if forged.status != 400 { return "it answers \(forged.status) to one that was changed after it was signed" }
      }
    }
    return nil
  }

  // MARK: One request

  private func send(
    _ method: String, _ path: String, _ headers: [(String, String)] = [], _ body: [UInt8]? = nil
  ) async throws(HTTPTransportError) -> HTTPTransportResponse {
    try await transport.send(
      HTTPTransportRequest(
        method: method, url: publicBaseURL + path, headers: headers, body: body, deadline: .seconds(10)))
  }

  private static func expect(_ status: Int, _ answer: HTTPTransportResponse) -> String? {
    answer.status == status ? nil : "it answers \(answer.status) instead of \(status)"
  }
}
