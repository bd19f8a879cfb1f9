import Foundation
import HTTPTransport
import JSON
import StripeAPI

/// Carries out one call: waits for the budget, sends, and sends again as the policy says, always the same bytes with the same
/// idempotency key.
struct StripeCall {
  let transport: any HTTPSending
  let policy: RetryPolicy
  let surroundings: StripeClient.Surroundings
  let budget: StripeClient.Budget?

  func perform(_ request: HTTPTransportRequest) async throws(StripeError) -> StripeAnswer {
    let begun = surroundings.elapsed()
    var mayHaveHappened = false
    var retries = 0
    while true {
      let failure: Failure
      switch await attempt(request, begun: begun) {
      case .success(let answer): return answer
      case .failure(let failed): failure = failed
      }
      mayHaveHappened = mayHaveHappened || failure.error.mayHaveHappened
      var error = failure.error
      error.attempts = failure.wasSent ? retries + 1 : retries
      // A later refusal does not undo what an earlier attempt may have done.
      error.mayHaveHappened = mayHaveHappened && request.method != "GET"
      guard failure.wasSent,
        case .sendAgain(let pause) = policy.decision(
          after: failure.outcome, retries: retries, elapsed: surroundings.elapsed() - begun,
          random: surroundings.random())
      else { throw error }
      do {
        try await surroundings.sleep(pause)
      } catch let cause {
        error.retry = .cancelled
        error.cause = cause
        throw error
      }
      retries += 1
    }
  }

  /// An attempt without a usable answer.
  private struct Failure: Error {
    var error: StripeError
    var outcome: RetryPolicy.Outcome
    /// False if the attempt ended before the transport got the request: because of the budget or the deadline.
    var wasSent: Bool

    init(_ error: StripeError, outcome: RetryPolicy.Outcome? = nil, wasSent: Bool = true) {
      self.error = error
      self.outcome = outcome ?? RetryPolicy.Outcome(retry: error.retry)
      self.wasSent = wasSent
    }
  }

  private func attempt(_ request: HTTPTransportRequest, begun: Duration) async -> Result<StripeAnswer, Failure> {
    do {
      try await budget?()
    } catch {
      return .failure(Failure(Self.budgetError(error), wasSent: false))
    }
    let sentAt = surroundings.elapsed()
    var request = request
    request.deadline = min(policy.attemptDeadline, policy.deadline - (sentAt - begun))
    guard request.deadline > .zero else {
      return .failure(
        Failure(StripeError(message: "this call ran out of time", retry: .retry(after: nil)), wasSent: false))
    }
    let response: HTTPTransportResponse
    do {
      response = try await transport.send(request)
    } catch {
      return .failure(Failure(StripeError(error)))
    }
    guard response.isSuccess else {
      var error = StripeError(response)
      let outcome = RetryPolicy.Outcome(error, headers: response.headers)
      // Stripe's own word overrides the status.
      if outcome.shouldRetry == true, !error.retry.isTransient { error.retry = .retry(after: outcome.retryAfter) }
      return .failure(Failure(error, outcome: outcome))
    }
    let requestID = BoundedText.word(response.headers["Request-Id"])
    guard let value = try? JSONValue(ofOutside: response.body) else {
      return .failure(
        Failure(
          StripeError(
            status: response.status, message: "the answer is not JSON", requestID: requestID,
            retry: .retry(after: nil), mayHaveHappened: true)))
    }
    return .success(
      StripeAnswer(
        value: value, fetchedAt: response.headers["Date"].flatMap(HTTPDate.date) ?? surroundings.now(),
        took: surroundings.elapsed() - sentAt, requestID: requestID))
  }

  /// A budget can decide the response by throwing a `StripeError`; a cancellation stays one; any other error means "not now".
  private static func budgetError(_ cause: any Error) -> StripeError {
    switch cause {
    case let error as StripeError: error
    case is CancellationError:
      StripeError(message: "cancelled while it waited for the budget", retry: .cancelled, cause: cause)
    default:
      StripeError(
        message: "the budget for calls refused this one", retry: .rateLimited(reason: "budget", after: nil),
        cause: cause)
    }
  }
}
