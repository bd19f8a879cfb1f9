/// Runs work to its end even if the task that waits for it is cancelled: what was done is recorded, and a claim is released,
/// while the service is stopping.
///
/// The work runs in a task of its own, which keeps the cancellation away from it, and which is awaited here.
package func uncancelled<Result: Sendable>(
  _ work: @escaping @Sendable () async throws -> Result
) async throws -> Result {
  try await Task { try await work() }.value
}
