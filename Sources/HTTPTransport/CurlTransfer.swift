internal import CCurl
internal import Synchronization

/// How a transfer ended.
enum CurlOutcome {
  /// libcurl is done with it, well or badly.
  case finished(CURLcode)
  /// The deadline passed.
  case deadlinePassed
  /// The caller cancelled it, or the thread is shutting down.
  case cancelled
  /// libcurl refused an option or the handle; nothing was sent.
  case notStarted(CURLcode)
}

/// One exchange that the multi thread drives, of whatever protocol. It is created, used and ended on that thread.
protocol CurlTransfer: AnyObject {
  /// Sets the handle's options. `timeLeft` is what remains until the deadline.
  func prepare(_ easy: inout CurlEasy, timeLeft: Duration)

  /// Called exactly once, with the handle no longer in use by libcurl but still readable. `mayHaveSent` says whether
  /// the other side can have seen anything.
  func end(_ outcome: CurlOutcome, _ easy: CurlEasy?, mayHaveSent: Bool)
}

/// What a caller sends to the multi thread: how to make the transfer, and by when it must end.
struct CurlJob: Sendable {
  let ticket: CurlTicket
  let deadline: ContinuousClock.Instant
  let makeTransfer: @Sendable () -> any CurlTransfer
}

/// Names one job, so that it can be cancelled before, while and after it runs.
final class CurlTicket: Sendable {
  private let cancelled = Atomic(false)

  var isCancelled: Bool { cancelled.load(ordering: .acquiring) }

  func markCancelled() { cancelled.store(true, ordering: .releasing) }
}
