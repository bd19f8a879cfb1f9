import Foundation
import HTTPTransport
import Identity
import StripeAPI
@testable import StripeHTTP
import Testing

@Suite("OAuth")
struct OAuthTests {
  typealias Reply = FakeStripe.Reply

  let granted =
    #"{"access_token":"at_1","refresh_token":"rt_1","token_type":"bearer","scope":"stripe_apps","livemode":false,"stripe_user_id":"acct_1","stripe_publishable_key":"pk_test_1"}"#

  func oauth(_ stripe: FakeStripe) -> StripeOAuth {
    StripeOAuth(apiBaseURL: stripe.url, transport: stripe.transport, userAgent: "example/1")
  }

  func exchangeError(_ reply: Reply) async throws -> StripeOAuthError? {
    var result: StripeOAuthError?
    try await FakeStripe.serve(reply) { stripe in
      let oauth = oauth(stripe)
      result = await failure { () throws(StripeOAuthError) in
        try await oauth.exchange(code: "ac_1", secretKey: "key_1")
      }
      #expect(stripe.asked.count == 1)
    }
    return result
  }

  @Test("A code is exchanged with the secret key as user name and no password")
  func exchange() async throws {
    try await FakeStripe.serve(Reply(body: granted)) { stripe in
      let grant = try await oauth(stripe).exchange(code: "ac_1+&", secretKey: "key_1")
      #expect(
        grant
          == TokenGrant(
            accessToken: "at_1", refreshToken: "rt_1", livemode: false, account: "acct_1",
            publishableKey: "pk_test_1", scope: "stripe_apps", tokenType: "bearer"))
      let asked = try #require(stripe.asked.first)
      #expect(asked.method == "POST")
      #expect(asked.target == "/v1/oauth/token")
      #expect(asked.headers["authorization"] == "Basic " + Data("key_1:".utf8).base64EncodedString())
      #expect(asked.form == ["grant_type": "authorization_code", "code": "ac_1+&"])
    }
  }

  @Test("A refresh sends the refresh token")
  func refresh() async throws {
    try await FakeStripe.serve(Reply(body: granted)) { stripe in
      _ = try await oauth(stripe).refresh(refreshToken: "rt_0", secretKey: "key_1")
      #expect(stripe.asked.first?.form == ["grant_type": "refresh_token", "refresh_token": "rt_0"])
    }
  }

  @Test("A used-up code or refresh token is told apart from a refused key")
  func refusals() async throws {
    let body = #"{"error":"invalid_grant","error_description":"This code ac_abcdefgh was used"}"#
    #expect(
      try await exchangeError(Reply(status: 400, body: body)) == .invalidGrant("This code ac_[withheld] was used"))
    let api = #"{"error":{"type":"invalid_request_error","message":"Invalid API Key provided: sk_test_12345678"}}"#
    #expect(
      try await exchangeError(Reply(status: 401, body: api))
        == .rejectedCredential("Invalid API Key provided: sk_[withheld]"))
    #expect(
      try await exchangeError(Reply(status: 400, body: #"{"error":"invalid_client"}"#))?.code == "rejected_credential")
    #expect(
      try await exchangeError(Reply(status: 400, body: #"{"error":"unsupported_grant_type","error_description":"x"}"#))
        == .refused(error: "unsupported_grant_type", description: "x"))
  }

  @Test("Nothing is sent twice, and it is said whether the token may be used up")
  func unavailable() async throws {
    #expect(try await exchangeError(Reply(status: 500, body: "")) == .unavailable(mayHaveHappened: true))
    #expect(try await exchangeError(Reply(status: 502, body: "<html>")) == .unavailable(mayHaveHappened: true))
    #expect(try await exchangeError(Reply(body: "<html>")) == .unavailable(mayHaveHappened: true))
    #expect(try await exchangeError(Reply(body: #"{"access_token":"at_1"}"#)) == .unavailable(mayHaveHappened: true))
    #expect(try await exchangeError(Reply(status: 404, body: "<html>")) == .unavailable(mayHaveHappened: false))
    #expect(
      try await exchangeError(Reply(status: 429, headers: ["Retry-After": "2"], body: ""))
        == .rateLimited(after: .seconds(2)))
    try await FakeStripe.serve(Reply()) { stripe in
      let closed = StripeOAuth(apiBaseURL: "http://127.0.0.1:1", transport: stripe.transport)
      let error = await failure { () throws(StripeOAuthError) in
        try await closed.refresh(refreshToken: "rt_1", secretKey: "key_1")
      }
      #expect(error == .unavailable(mayHaveHappened: false))
    }
  }

  @Test("A grant shows no token in any description")
  func withheld() {
    let grant = TokenGrant(accessToken: "at_1", refreshToken: "rt_1", livemode: true, account: "acct_1")
    var dumped = ""
    dump(grant, to: &dumped)
    let shown = "\(grant) \(String(reflecting: grant)) \(dumped)"
    #expect(!shown.contains("at_1") && !shown.contains("rt_1"))
  }

  @Test(
    "The authorize link keeps what the configured base has and sets its own three parameters",
    arguments: [
      ("https://m.example/oauth/v2/authorize", "https://m.example/oauth/v2/authorize?"),
      ("https://m.example/authorize?", "https://m.example/authorize?"),
      ("https://m.example/authorize?channel=c%231", "https://m.example/authorize?channel=c%231&"),
      (
        "https://m.example/c_%23x/authorize?client_id=ca_old&a=b&state=s#top", "https://m.example/c_%23x/authorize?a=b&"
      ),
    ])
  func authorizeLink(_ base: String, _ expected: String) {
    let url = AuthorizeLink(base: base).url(
      clientID: "ca_1", redirectURI: "https://x.example/cb?a=1", state: "s+1")
    #expect(url == expected + "client_id=ca_1&redirect_uri=https%3A%2F%2Fx.example%2Fcb%3Fa%3D1&state=s%2B1")
  }

  @Test("Without a redirect address the choice is left to Stripe")
  func noRedirect() {
    #expect(
      AuthorizeLink().url(clientID: "ca_1", redirectURI: nil, state: "s")
        == "https://marketplace.stripe.com/oauth/v2/authorize?client_id=ca_1&state=s")
  }
}
