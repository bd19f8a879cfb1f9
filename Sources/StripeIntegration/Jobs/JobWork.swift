import JSON

/// What a kind of job does, one bounded piece after another.
protocol JobWork: Sendable {
  /// Does the next piece: a page of a list, say, or a few dozen rows. A few seconds at most, outside calls included.
  ///
  /// How far the job has come is recorded after the piece. A crash in between makes the piece run again, perhaps on another
  /// replica, and a replica that was thought dead may still be at it: so its effect must be idempotent, and correct beside
  /// a second run of itself. The task is cancelled when the job is.
  ///
  /// - Parameter job: as it is now; `cursor` is what the piece before returned.
  /// - Throws: `JobFailure` when the job cannot be done. Everything else is judged by `FailurePolicy`: passing trouble is
  ///   tried again after a pause, and what concerns the whole tenant parks it; the job then waits.
  func step(_ job: Job) async throws -> JobStep
}

/// What came of a piece. `counts` are of this piece alone and are added to the job's progress.
enum JobStep: Sendable {
  /// There is more to do.
  case more(cursor: JSONValue, counts: [String: Int])
  /// There is more to do, but not at once.
  case later(cursor: JSONValue, counts: [String: Int], after: Duration)
  case done(counts: [String: Int])
}

/// The job cannot be done; the reason is for the vendor, and says what to do.
struct JobFailure: Error {
  let reason: String
}
