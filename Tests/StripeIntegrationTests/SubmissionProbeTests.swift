import Foundation
import HTTPTransport
import JSON
import StripeAPI
import StripeHTTP
import Synchronization
import Testing

@testable import StripeIntegration

@Suite("What the running service answers before a submission")
struct SubmissionProbeTests {
  /// A service as it should be, but for what a test has it do otherwise.
  private final class Service: HTTPSending {
    /// What is answered in place of the right answer, by the beginning of method and path.
    let instead: [String: @Sendable (HTTPTransportResponse) -> HTTPTransportResponse]
    private let states = Mutex(0)

    init(instead: [String: @Sendable (HTTPTransportResponse) -> HTTPTransportResponse]) { self.instead = instead }

    func send(_ request: HTTPTransportRequest) async throws(HTTPTransportError) -> HTTPTransportResponse {
      let call = request.method + " " + request.url.dropFirst(Reviewed.base.count)
      let right = answer(call, request)
      for (beginning, change) in instead where call.hasPrefix(beginning) { return change(right) }
      return right
    }

    private func answer(_ call: String, _ request: HTTPTransportRequest) -> HTTPTransportResponse {
      let origin = request.headers.first { $0.0 == "Origin" }?.1
      switch call {
      case "GET /readyz": return .init(status: 200)
      case _ where call.hasPrefix("GET /stripe/oauth/install"):
        let state = states.withLock { number in
          number += 1
          return "state-of-sixteen-\(number)"
        }
        return .init(
          status: 302,
          headers: HTTPHeaderList([
            ("Location", AuthorizeLink.defaultBase + "?client_id=ca_1&state=\(state)"),
            ("Set-Cookie", "install=1; Path=/stripe/oauth; HttpOnly; Secure; SameSite=Lax"),
          ]))
      case _ where call.hasPrefix("GET /stripe/oauth/callback"): return .init(status: 400)
      case "OPTIONS /stripe/app/customer":
        return .init(
          status: 204, headers: origin == "null" ? [(name: "Access-Control-Allow-Origin", value: "null")] : [])
      case "POST /stripe/app/customer":
        return .init(status: 401, headers: [(name: "Access-Control-Allow-Origin", value: "null")])
      case "GET /stripe/admin/connections": return .init(status: 401)
      case "POST /stripe/webhook":
        let header = request.headers.first { $0.0 == "Stripe-Signature" }?.1
        guard let body = request.body, let secret = try? WebhookSecret("whsec_1"),
          (try? WebhookSignature.verify(header: header, payload: body, secrets: [secret], now: Self.now)) != nil
        else { return .init(status: 400) }
        return .init(status: 200)
      default: return .init(status: 404)
      }
    }

    static let now = Date(timeIntervalSince1970: 1_800_000_000)
  }

  private static func problems(
    _ instead: [String: @Sendable (HTTPTransportResponse) -> HTTPTransportResponse] = [:]
  ) async throws -> [String] {
    let probe = SubmissionProbe(
      configuration: try Reviewed().configuration(), transport: Service(instead: instead), now: { Service.now })
    return await probe.findings().compactMap { finding in finding.problem.map { "\(finding.area): \($0)" } }
  }

  private static func redirect(to address: String, cookie: String?)
    -> @Sendable (HTTPTransportResponse) -> HTTPTransportResponse
  {
    { _ in
      .init(status: 302, headers: HTTPHeaderList([("Location", address)] + (cookie.map { [("Set-Cookie", $0)] } ?? [])))
    }
  }

  @Test("a service that is as it should be has nothing missing")
  func good() async throws {
    #expect(try await Self.problems() == [])
  }

  @Test("an installation without a state, a cookie, or with a cookie that others read is found")
  func installation() async throws {
    let link = AuthorizeLink.defaultBase + "?client_id=ca_1"
    let start = "GET /stripe/oauth/install"
    #expect(
      try await Self.problems([start: Self.redirect(to: link, cookie: "a=1; HttpOnly; Secure")])
        == ["OAuth: the authorize link has no state"])
    let fixed = link + "&state=sixteen-letters-or-more"
    #expect(
      try await Self.problems([start: Self.redirect(to: fixed, cookie: "a=1; HttpOnly; Secure")])
        == ["OAuth: two installations have the same state"])
    #expect(try await Self.problems([start: Self.redirect(to: fixed, cookie: nil)]) == ["OAuth: it sets no cookie"])
    #expect(
      try await Self.problems([start: Self.redirect(to: fixed, cookie: "a=1; Secure")])
        == ["OAuth: scripts may read its cookie"])
    #expect(
      try await Self.problems([start: Self.redirect(to: fixed, cookie: "a=1; HttpOnly")])
        == ["OAuth: its cookie is sent over plain HTTP too"])
    let channel = "https://marketplace.stripe.com/oauth/v2/chnlink_1/authorize?state=sixteen-letters-or-more"
    #expect(
      try await Self.problems(["GET /stripe/oauth/install?mode=live": Self.redirect(to: channel, cookie: nil)])
        == ["OAuth: it is an external test's link (chnlink_); set STRIPE_AUTHORIZE_URL to the public one"])
  }

  @Test(
    "what stands open is found",
    arguments: [
      ("GET /stripe/oauth/callback", 302, "OAuth: it answers 302 to ?code=ac_review"),
      ("GET /stripe/admin/connections", 200, "Defaults: it answers 200 instead of 401"),
      ("POST /stripe/app/customer", 200, "Endpoints: it answers 200 instead of 401"),
    ])
  func open(_ call: String, _ status: Int, _ problem: String) async throws {
    #expect(try await Self.problems([call: { .init(status: status, headers: $0.headers) }]) == [problem])
  }

  @Test("scripts of just any page are not let in")
  func anyOrigin() async throws {
    let everybody: @Sendable (HTTPTransportResponse) -> HTTPTransportResponse = { answer in
      .init(status: 204, headers: [(name: "Access-Control-Allow-Origin", value: answer.headers.isEmpty ? "*" : "null")])
    }
    #expect(
      try await Self.problems(["OPTIONS /stripe/app": everybody])
        == ["Defaults: https://review.example is allowed with *"])
  }

  @Test("an uninstall that is refused, and one that is taken in from anybody, are found")
  func uninstalls() async throws {
    let refused = try await Self.problems(["POST /stripe/webhook": { _ in .init(status: 400) }])
    #expect(
      refused == Array(repeating: "Uninstall: it answers 400 to one signed with secret 1 of live mode", count: 2))
    let open = try await Self.problems(["POST /stripe/webhook": { _ in .init(status: 200) }])
    #expect(open.contains("Uninstall: it answers 200 to one that was changed after it was signed"))
    #expect(open.contains("Endpoints: it answers 200 instead of 400"))
  }

  @Test("a service that does not answer fails every probe, and says so")
  func nobody() async throws {
    struct Silence: HTTPSending {
      func send(_ request: HTTPTransportRequest) async throws(HTTPTransportError) -> HTTPTransportResponse {
        throw .connectionLost("nobody is there")
      }
    }
    let probe = SubmissionProbe(configuration: try Reviewed().configuration(), transport: Silence())
    let findings = await probe.findings()
    #expect(findings.count == 11)
    #expect(findings.allSatisfy { $0.problem?.contains("does not answer") == true })
  }
}
