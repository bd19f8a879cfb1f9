import JSON

/// The work of one kind of job, one bounded piece after another.
protocol JobWork: Sendable {
  /// Does the next piece, for example a page of a list or a few dozen rows. It takes a few seconds at most, including outside
  /// calls.
  ///
  /// Progress is recorded after the piece. After a crash the piece runs again, perhaps on another replica, and the first
  /// replica may still be working on it. So its effect must be idempotent, and correct beside a second run of itself. The
  /// task is cancelled if the job is.
  ///
  /// - Parameter job: the current job; `cursor` is what the previous piece returned.
  /// - Throws: `JobFailure` if the job cannot be done. `FailurePolicy` judges everything else: a passing failure is tried
  ///   again after a back-off, and one of the whole tenant blocks the tenant, so that the job waits.
  func step(_ job: Job) async throws -> JobStep
}

/// The outcome of a piece. `counts` are of this piece alone and are added to the job's progress.
enum JobStep: Sendable {
  /// There is more to do.
  case more(cursor: JSONValue, counts: [String: Int])
  /// There is more to do, but not at once.
  case later(cursor: JSONValue, counts: [String: Int], after: Duration)
  case done(counts: [String: Int])
}

/// The job cannot be done; the reason tells the vendor what to do.
struct JobFailure: Error {
  let reason: String
}
