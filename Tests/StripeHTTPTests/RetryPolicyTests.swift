import Foundation
import HTTPTransport
import JSON
import StripeAPI
import Testing

@testable import StripeHTTP

@Suite("When a request is sent again")
struct RetryPolicyTests {
  typealias Outcome = RetryPolicy.Outcome

  func decide(
    _ outcome: Outcome, retries: Int = 0, elapsed: Duration = .zero, random: Double = 1
  ) -> RetryPolicy.Decision {
    RetryPolicy(maximumRetries: 10).decision(after: outcome, retries: retries, elapsed: elapsed, random: random)
  }

  @Test("The pause doubles from half a second to five")
  func doubling() {
    let pauses = (0..<6).map { decide(Outcome(retry: .retry(after: nil)), retries: $0) }
    #expect(
      pauses == [
        .sendAgain(after: .milliseconds(500)), .sendAgain(after: .seconds(1)), .sendAgain(after: .seconds(2)),
        .sendAgain(after: .seconds(4)), .sendAgain(after: .seconds(5)), .sendAgain(after: .seconds(5)),
      ])
  }

  @Test("Chance shortens a pause to no less than half of it, and never under half a second")
  func jitter() {
    let outcome = Outcome(retry: .retry(after: nil))
    #expect(decide(outcome, retries: 2, random: 0) == .sendAgain(after: .seconds(1)))
    #expect(decide(outcome, retries: 2, random: 0.5) == .sendAgain(after: .milliseconds(1500)))
    #expect(decide(outcome, retries: 0, random: 0) == .sendAgain(after: .milliseconds(500)))
  }

  @Test("By default a request is sent three times at most")
  func limit() {
    let policy = RetryPolicy()
    let outcome = Outcome(retry: .retry(after: nil))
    #expect(policy.decision(after: outcome, retries: 1, elapsed: .zero, random: 1) == .sendAgain(after: .seconds(1)))
    #expect(policy.decision(after: outcome, retries: 2, elapsed: .zero, random: 1) == .giveUp)
  }

  @Test("What only somebody else can mend is not sent again, nor is a call over the rate")
  func notWorthIt() {
    let classes: [RetryClass] = [
      .rateLimited(reason: nil, after: .seconds(1)), .credential, .permission, .accountGone, .notFound, .invalid,
      .idempotencyConflict, .cancelled,
    ]
    for retry in classes { #expect(decide(Outcome(retry: retry)) == .giveUp) }
    #expect(decide(Outcome(retry: .lockTimeout)) == .sendAgain(after: .milliseconds(500)))
  }

  @Test("Stripe's own word overrules the rest")
  func stripesWord() {
    #expect(decide(Outcome(retry: .retry(after: nil), shouldRetry: false)) == .giveUp)
    #expect(decide(Outcome(retry: .invalid, shouldRetry: true)) == .sendAgain(after: .milliseconds(500)))
    #expect(
      decide(Outcome(retry: .rateLimited(reason: nil, after: nil), shouldRetry: true))
        == .sendAgain(after: .milliseconds(500)))
  }

  @Test("Retry-After lengthens a pause and never shortens it")
  func retryAfter() {
    #expect(decide(Outcome(retry: .retry(after: nil), retryAfter: .seconds(7))) == .sendAgain(after: .seconds(7)))
    #expect(decide(Outcome(retry: .retry(after: nil), retryAfter: .zero)) == .sendAgain(after: .milliseconds(500)))
  }

  @Test("A pause that would pass the deadline is not begun")
  func deadline() {
    let outcome = Outcome(retry: .retry(after: nil))
    #expect(decide(outcome, elapsed: .seconds(59)) == .sendAgain(after: .milliseconds(500)))
    #expect(decide(outcome, elapsed: .milliseconds(59_500)) == .giveUp)
    #expect(decide(Outcome(retry: .retry(after: nil), retryAfter: .seconds(60))) == .giveUp)
  }

  @Test(
    "An answer is classed by its code first, then by its status",
    arguments: [
      (
        429, #"{"error":{"type":"invalid_request_error","code":"rate_limit"}}"#,
        RetryClass.rateLimited(reason: nil, after: nil)
      ),
      (400, #"{"error":{"code":"rate_limit"}}"#, .rateLimited(reason: nil, after: nil)),
      (429, #"{"error":{"code":"lock_timeout"}}"#, .lockTimeout),
      (429, "", .rateLimited(reason: nil, after: nil)),
      (401, #"{"error":{"message":"Invalid API Key"}}"#, .credential),
      (401, #"{"error":{"code":"api_key_expired"}}"#, .credential),
      (403, #"{"error":{"code":"more_permissions_required_for_application"}}"#, .permission),
      (400, #"{"error":{"code":"more_permissions_required_for_application"}}"#, .permission),
      (403, "", .permission),
      (403, #"{"error":{"code":"account_invalid"}}"#, .accountGone),
      (404, #"{"error":{"code":"resource_missing","param":"id"}}"#, .notFound),
      (404, "<html>", .notFound),
      (400, #"{"error":{"type":"idempotency_error"}}"#, .idempotencyConflict),
      (409, #"{"error":{"type":"idempotency_error","code":"idempotency_key_in_use"}}"#, .retry(after: nil)),
      (409, #"{"error":{"type":"idempotency_error"}}"#, .retry(after: nil)),
      (400, #"{"error":{"code":"parameter_unknown","param":"x"}}"#, .invalid),
      (402, #"{"error":{"type":"card_error"}}"#, .invalid),
      (500, "<html>oops</html>", .retry(after: nil)),
      (503, "", .retry(after: nil)),
      (302, "", .retry(after: nil)),
    ])
  func classes(_ status: Int, _ body: String, _ expected: RetryClass) {
    let error = StripeError(HTTPTransportResponse(status: status, body: Array(body.utf8)))
    #expect(error.retry == expected)
    #expect(error.status == status)
  }

  @Test("An error carries Stripe's words, without keys and addresses, and no more than a line of them")
  func words() {
    let long = String(repeating: "very ", count: 200)
    let body =
      #"{"error":{"type":"invalid_request_error","message":"No such key: sk_test_abcdefgh\nfor b+1@example.com, \#(long)"}}"#
    let error = StripeError(
      HTTPTransportResponse(status: 400, headers: HTTPHeaderList([("request-id", "req_1")]), body: Array(body.utf8)))
    #expect(error.message.hasPrefix("No such key: sk_[withheld] for [address] very"))
    #expect(error.message.count <= 300)
    #expect(error.requestID == "req_1")
    #expect(!error.description.contains("abcdefgh"))
  }

  /// What steers a terminal, a page or the order of reading.
  private static let steering: Set<Unicode.GeneralCategory> = [.control, .format, .lineSeparator, .paragraphSeparator]

  private static let hostile = [
    String(repeating: "x", count: 1 << 20), "e" + String(repeating: "\u{301}", count: 1 << 18),
    "a\u{0}b\u{1B}[31m\r\nc\u{85}\u{9B}d\u{2028}\u{202E}e\u{FEFF}\u{7F}",
  ]

  @Test(
    "Whatever stands in an answer, little of it is kept, on one line and without control characters", arguments: 0..<3)
  func bounds(_ number: Int) {
    let text = Self.hostile[number]
    let word = JSONValue.string(text)
    let api: JSONValue = ["error": ["type": word, "code": word, "message": word, "param": word]]
    let oauth: JSONValue = ["error": word, "error_description": word]
    for body in [api, oauth] {
      let response = HTTPTransportResponse(
        status: 400,
        headers: HTTPHeaderList([("Request-Id", text), ("Stripe-Rate-Limited-Reason", text)]), body: body.encoded())
      for kept in ["\(StripeError(response))", "\(StripeOAuth.failure(response))"] {
        #expect(kept.utf8.count < 4_000)
        #expect(
          !kept.unicodeScalars.contains {
            Self.steering.contains($0.properties.generalCategory)
          })
      }
    }
    let made = StripeError(
      type: text, code: text, message: text, param: text, requestID: text, retry: .rateLimited(reason: text, after: nil)
    )
    #expect(made.description.utf8.count < 4_000)
  }

  @Test("A plain sentence is left as it is")
  func harmlessWords() {
    let text = "No such subscription: 'sub_1'; a similar task_force exists in risk_level"
    #expect(BoundedText.message(text) == text)
  }

  @Test("HTTP dates are read, anything else is not")
  func dates() {
    #expect(HTTPDate.date("Sun, 06 Nov 1994 08:49:37 GMT") == Date(timeIntervalSince1970: 784_111_777))
    #expect(HTTPDate.date("Thu, 29 Feb 2024 23:59:59 GMT") == Date(timeIntervalSince1970: 1_709_251_199))
    #expect(HTTPDate.date("Thu, 01 Jan 1970 00:00:00 GMT") == Date(timeIntervalSince1970: 0))
    for text in [
      "", "now", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Nox 1994 08:49:37 GMT",
    ] {
      #expect(HTTPDate.date(text) == nil)
    }
  }
}
