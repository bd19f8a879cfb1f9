import Testing

@testable import Queue
@testable import StripeIntegration

@Suite("A claim that keeps its worker waiting", .timeLimit(.minutes(1)))
struct SlowClaimsTests {
  private struct Failure: Error {}

  @Test("a worker hears how a claim ended that it waits for")
  func heard() async throws {
    let slow = SlowClaims(patience: .seconds(600))
    let well = ClaimUnderWay(slow)
    #expect(well.end(nil))
    try await well.wait()

    let ill = ClaimUnderWay(slow)
    let waiting = Task { try await ill.wait() }
    #expect(ill.end(Failure()))
    await #expect(throws: Failure.self) { try await waiting.value }
  }

  @Test("a worker leaves a claim without progress, which then ends by itself")
  func left() async throws {
    let claim = ClaimUnderWay(SlowClaims(patience: .milliseconds(1)))
    try await claim.wait()
    #expect(!claim.end(Failure()))
  }

  @Test("a worker that is cancelled waits no longer, and the claim is still its own")
  func cancelled() async throws {
    let claim = ClaimUnderWay(SlowClaims(patience: .seconds(600)))
    let waiting = Task { try await claim.wait() }
    waiting.cancel()
    try await waiting.value
    #expect(claim.end(Failure()))
  }

  @Test("where as many go on by themselves as may, a worker waits until one of them ends")
  func bounded() async throws {
    let slow = SlowClaims(patience: .milliseconds(1), most: 1)
    let first = ClaimUnderWay(slow)
    try await first.wait()

    let second = ClaimUnderWay(slow)
    async let waiting: Void = second.wait()
    let third = ClaimUnderWay(slow)
    async let ended: Void = third.wait()
    // Long enough for a worker that heeds no bound to have gone on.
    try await Task.sleep(for: .milliseconds(50))
    #expect(third.end(nil))
    try await ended
    #expect(!first.end(nil))
    try await waiting
    #expect(!second.end(nil))
  }
}
