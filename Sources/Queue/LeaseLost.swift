package import Purchases

/// Somebody else works on it now, or it was cancelled: nothing that this run still does is recorded.
package struct LeaseLost: FailureResponding {
  package init() {}

  package func failureResponse(attempts: Int, jitter: Double) -> FailureResponse { .yield }
}
