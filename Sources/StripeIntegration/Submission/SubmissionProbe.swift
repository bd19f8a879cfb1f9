public import HTTPTransport

/// Asks the running service, at its public address, what a reviewer's browser would ask it.
public struct SubmissionProbe: Sendable {
  let publicBaseURL: String
  let origins: [String]
  let transport: any HTTPSending

  public init(configuration: IntegrationConfiguration, transport: any HTTPSending) {
    self.init(
      publicBaseURL: configuration.publicBaseURL, origins: configuration.allowedOrigins, transport: transport)
  }

  init(publicBaseURL: String, origins: [String], transport: any HTTPSending) {
    self.publicBaseURL = publicBaseURL
    self.origins = origins
    self.transport = transport
  }

  /// Each probe's result; a service that does not answer fails them all.
  public func findings() async -> [SubmissionFinding] {
    var findings: [SubmissionFinding] = []
    func probe(_ area: String, _ requirement: String, _ body: () async throws -> String?) async {
      let problem: String?
      do {
        problem = try await body()
      } catch {
        problem = "\(publicBaseURL) does not answer: \(error)"
      }
      findings.append(SubmissionFinding(area, requirement, problem: problem))
    }
    await probe("Reliability", "the service is ready") {
      Self.expect(200, try await send("GET", "/readyz"))
    }
    await probe("OAuth", "the public link starts at this service and leads to Stripe's authorize page") {
      let answer = try await send("GET", "/stripe/oauth/install?mode=live")
      if let problem = Self.expect(302, answer) { return problem }
      let target = answer.headers["Location"] ?? ""
      if target.contains("/chnlink_") || target.contains("/channellink_") {
        return "it is an external test's link; set STRIPE_AUTHORIZE_URL to the public one"
      }
      return target.hasPrefix("https://marketplace.stripe.com/oauth/v2/authorize?") ? nil : "it leads to \(target)"
    }
    await probe("Endpoints", "the sandboxed frame may call it") {
      let answer = try await send(
        "OPTIONS", "/stripe/app/customer",
        [
          ("Origin", "null"), ("Access-Control-Request-Method", "POST"),
          ("Access-Control-Request-Headers", "content-type,stripe-signature"),
        ])
      guard answer.headers["Access-Control-Allow-Origin"] == "null" else {
        return "STRIPE_APP_ALLOWED_ORIGINS is \(origins.joined(separator: ",")); null is not allowed"
      }
      return Self.expect(204, answer)
    }
    await probe("Endpoints", "what Stripe did not sign is refused, readably") {
      let answer = try await send("POST", "/stripe/app/customer", [("Origin", "null")])
      guard answer.headers["Access-Control-Allow-Origin"] == "null" else { return "the refusal has no CORS headers" }
      return Self.expect(401, answer)
    }
    await probe("Endpoints", "webhooks that Stripe did not sign are refused") {
      Self.expect(400, try await send("POST", "/stripe/webhook"))
    }
    return findings
  }

  private func send(
    _ method: String, _ path: String, _ headers: [(String, String)] = []
  ) async throws(HTTPTransportError) -> HTTPTransportResponse {
    try await transport.send(
      HTTPTransportRequest(method: method, url: publicBaseURL + path, headers: headers, deadline: .seconds(10)))
  }

  private static func expect(_ status: Int, _ answer: HTTPTransportResponse) -> String? {
    answer.status == status ? nil : "it answers \(answer.status) in place of \(status)"
  }
}
