import Foundation
import HTTPTransport
import LicenseKitAPI
import Postgres
import StripeAPI
import Testing

@testable import Purchases
@testable import StripeHTTP
@testable import StripeIntegration

@Suite("What is done about a failure")
struct FailurePolicyTests {
  private let policy = FailurePolicy()

  /// One row of the published rules.
  struct Row: Sendable, CustomTestStringConvertible {
    enum Expected: Sendable {
      /// Within these many seconds, for the purchase alone.
      case again(ClosedRange<Double>)
      /// The whole tenant is left alone for a while.
      case outage(Outage.Side)
      case blocked(TenantUnavailable.Reason, naming: String)
      /// A person is needed; the reason names what was refused and says what to do.
      case failed(naming: [String])
      case lookedUp
      /// No attempt, and nothing to tell.
      case brokenOff
    }
    let what: String
    let error: any Error
    let expected: Expected
    var testDescription: String { what }
  }

  private static func stripe(
    _ status: Int?, _ retry: RetryClass, code: String? = nil, _ message: String = "no"
  ) -> StripeError {
    StripeError(status: status, code: code, message: message, requestID: "req_1", retry: retry)
  }

  private static func licenseKit(_ status: Int, _ code: String, detail: String? = nil) -> LicenseKitError {
    LicenseKitError(status: status, code: code, message: "no", detail: detail, requestID: "req_2")
  }

  static let rows: [Row] = [
    Row(
      what: "a connection to Stripe that breaks",
      error: StripeError(HTTPTransportError.timeout), expected: .outage(.stripe)),
    Row(what: "Stripe 503", error: stripe(503, .retry(after: nil)), expected: .outage(.stripe)),
    Row(
      what: "Stripe 429 for the rate", error: stripe(429, .rateLimited(reason: "global-rate", after: nil)),
      expected: .outage(.stripe)),
    Row(
      what: "this service's own measure of calls is full",
      error: stripe(nil, .rateLimited(reason: "budget", after: .seconds(2))), expected: .again(2...2)),
    Row(what: "Stripe 500", error: stripe(500, .retry(after: nil)), expected: .again(0.75...1.25)),
    Row(what: "Stripe 409", error: stripe(409, .retry(after: nil)), expected: .again(0.75...1.25)),
    Row(
      what: "Stripe asks for a pause", error: stripe(500, .retry(after: .seconds(40))), expected: .again(40...40)),
    Row(
      what: "Stripe lock_timeout", error: stripe(429, .lockTimeout, code: "lock_timeout"), expected: .again(0.75...1.25)
    ),
    Row(
      what: "a permission is missing",
      error: stripe(403, .permission, "Having the 'checkout_session_read' permission would allow this."),
      expected: .blocked(.stripePermission, naming: "checkout_session_read")),
    Row(what: "a dead token", error: stripe(401, .credential), expected: .blocked(.stripeCredential, naming: "req_1")),
    Row(
      what: "an account that is gone", error: stripe(403, .accountGone, code: "account_invalid"),
      expected: .blocked(.stripeAccountGone, naming: "account_invalid")),
    Row(what: "Stripe 400", error: stripe(400, .invalid), expected: .failed(naming: ["req_1", "report", "replay"])),
    Row(
      what: "a used idempotency key of Stripe's", error: stripe(400, .idempotencyConflict),
      expected: .failed(naming: ["req_1", "report"])),
    Row(
      what: "a connection to LicenseKit that breaks",
      error: LicenseKitError(transport: "timeout", message: "no answer", mayHaveTakenEffect: true),
      expected: .outage(.licenseKit)),
    Row(
      what: "a call to LicenseKit that was given up here",
      error: LicenseKitError(transport: "cancelled", message: "no answer", mayHaveTakenEffect: true),
      expected: .brokenOff),
    Row(what: "a stop of the service", error: CancellationError(), expected: .brokenOff),
    Row(
      what: "a statement that was given up here", error: PostgresError(.cancelled, "cancelled"),
      expected: .brokenOff),
    Row(what: "a pool that is closed", error: PostgresError(.closed, "closed"), expected: .brokenOff),
    Row(
      what: "a call to Stripe that was given up here", error: stripe(nil, .cancelled), expected: .brokenOff),
    Row(
      what: "a statement that the database refuses", error: PostgresError(.server(sqlState: "23505"), "no"),
      expected: .again(0.75...1.25)),
    Row(
      what: "an answer of LicenseKit's that is too large",
      error: LicenseKitError(transport: "too_large", message: "no answer", mayHaveTakenEffect: true),
      expected: .again(0.75...1.25)),
    Row(
      what: "this service's own limit of calls under way",
      error: StripeError(HTTPTransportError.overloaded), expected: .again(0.75...1.25)),
    Row(what: "LicenseKit 503", error: licenseKit(503, "UNAVAILABLE"), expected: .outage(.licenseKit)),
    Row(what: "LicenseKit 429", error: licenseKit(429, "RATE_LIMITED"), expected: .outage(.licenseKit)),
    Row(what: "LicenseKit 500", error: licenseKit(500, "INTERNAL_ERROR"), expected: .again(0.75...1.25)),
    Row(what: "LicenseKit 409", error: licenseKit(409, "CONFLICT"), expected: .again(0.75...1.25)),
    Row(
      what: "LicenseKit 409 for the key", error: licenseKit(409, "IDEMPOTENCY_CONFLICT"),
      expected: .failed(naming: ["IDEMPOTENCY_CONFLICT", "report", "replay"])),
    Row(
      what: "LicenseKit 422", error: licenseKit(422, "VALIDATION_ERROR", detail: "expires_at"),
      expected: .failed(naming: ["expires_at", "mapping", "replay"])),
    Row(
      what: "LicenseKit 403", error: licenseKit(403, "TOKEN_SCOPE_DENIED", detail: "requires license:write"),
      expected: .blocked(.licensekitCredential, naming: "license:write")),
    Row(
      what: "LicenseKit 401", error: licenseKit(401, "UNAUTHORIZED"),
      expected: .blocked(.licensekitCredential, naming: "req_2")),
    Row(what: "LicenseKit 404", error: licenseKit(404, "NOT_FOUND"), expected: .lookedUp),
    Row(
      what: "LicenseKit 400", error: licenseKit(400, "INVALID_JSON"), expected: .failed(naming: ["req_2", "replay"])),
  ]

  @Test("is decided by its kind", arguments: rows)
  func table(row: Row) {
    for jitter in [0, 0.5, 0.999] {
      let failure = policy.failure(row.error, attempts: 0, jitter: jitter)
      switch (row.expected, failure) {
      case (.again(let range), .response(.retry(let backoff, _))): #expect(range.contains(backoff), "\(backoff)")
      case (.outage(let side), .outage(let outage, _)): #expect(outage.side == side)
      case (.blocked(let reason, let naming), .response(.block(let unavailable))):
        #expect(unavailable.reason == reason)
        #expect(unavailable.detail.contains(naming), "\(unavailable.detail)")
      case (.failed(let names), .response(.fail(let reason))):
        for name in names { #expect(reason.contains(name), "\(reason)") }
      case (.lookedUp, .gone), (.brokenOff, .response(.interrupted)): break
      default: Issue.record("\(row.what): \(failure)")
      }
    }
  }

  @Test("pauses grow to an hour, for a lock at Stripe to half a minute, and a quarter more or less by chance")
  func pauses() {
    func backoff(_ error: any Error, _ attempts: Int, _ jitter: Double = 0.5) -> Double? {
      guard case .response(.retry(let backoff, _)) = policy.failure(error, attempts: attempts, jitter: jitter) else {
        return nil
      }
      return backoff
    }
    let passing = Self.stripe(500, .retry(after: nil))
    #expect([0, 1, 2, 11, 12, 50].map { backoff(passing, $0) } == [1, 2, 4, 2_048, 3_600, 3_600])
    #expect(backoff(passing, 3, 0) == 6)
    let lock = Self.stripe(429, .lockTimeout)
    #expect([0, 4, 5, 20].map { backoff(lock, $0) } == [1, 16, 30, 30])
  }

  @Test("after the last attempt a person is told what was tried and what to do")
  func gives() {
    let failure = policy.failure(
      Self.licenseKit(500, "INTERNAL_ERROR"), attempts: FailurePolicy.maximumAttempts, jitter: 0.5)
    guard case .response(.fail(let reason)) = failure else {
      Issue.record("\(failure)")
      return
    }
    #expect(reason.contains("90 attempts") && reason.contains("INTERNAL_ERROR") && reason.contains("replay"))
  }

  @Test("three days of ordinary trouble fit into the attempts")
  func lasts() {
    var seconds = 0.0
    for attempts in 0..<FailurePolicy.maximumAttempts {
      if case .retry(let backoff, _) = policy.response(
        to: Self.licenseKit(500, "INTERNAL_ERROR"), attempts: attempts, jitter: 0)
      {
        seconds += backoff
      }
    }
    #expect(seconds > 2.4 * 86_400)
  }

  @Test("a day of LicenseKit being away costs a tenant a few hundred calls, however many purchases wait")
  func day() throws {
    let outage = try #require(Outage(Self.licenseKit(503, "UNAVAILABLE")))
    var (now, calls, jitter) = (0.0, 0, 0.0)
    while now < 86_400 {
      // One purchase asks; then everybody waits.
      now += OutageBackoff.length(calls, jitter: jitter, atLeast: outage.atLeast)
      calls += 1
      jitter = (jitter + 0.37).truncatingRemainder(dividingBy: 1)
    }
    #expect((200...400).contains(calls), "\(calls)")
    // However long it lasts, no attempt that counts is used.
    for attempts in 0..<FailurePolicy.maximumAttempts {
      guard case .outage(_, let backoff) = policy.failure(outage.error, attempts: attempts, jitter: 1) else {
        Issue.record("an outage is no failure of the purchase")
        return
      }
      #expect(backoff <= OutageBackoff.longest * 1.25)
    }
  }
}

extension Outage {
  fileprivate var error: LicenseKitError {
    LicenseKitError(status: 503, code: "UNAVAILABLE", message: detail)
  }
}
