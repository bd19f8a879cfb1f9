internal import CCurl
internal import Foundation
internal import Logging

/// Limits of one multi handle.
struct CurlMultiLimits: Sendable {
  var connections: Int
  var connectionsPerHost: Int
}

/// Drives all transfers of one libcurl multi handle. An instance is created by its thread and never leaves it.
///
/// It knows nothing of HTTP: a `CurlTransfer` sets its own options and reads its own result.
final class CurlMultiLoop {
  private struct Active {
    let transfer: any CurlTransfer
    let easy: CurlEasy
    let deadline: ContinuousClock.Instant
    let ticket: CurlTicket
  }

  private let multi: UnsafeMutableRawPointer
  private let mailbox: CurlMailbox
  private let logger: Logger
  private var active: [UnsafeMutableRawPointer: Active] = [:]
  private var handles: [ObjectIdentifier: UnsafeMutableRawPointer] = [:]
  private var spareHandles: [UnsafeMutableRawPointer] = []
  /// No active transfer has an earlier deadline than this; it may be earlier than all of them.
  private var earliestDeadline: ContinuousClock.Instant?

  /// How many unused easy handles are kept for the next transfers.
  private static let maximumSpareHandles = 64

  /// libcurl wants its global set-up once per process, before anything else.
  private static let globalSetUp: CURLcode = curl_global_init(Int(CURL_GLOBAL_DEFAULT))

  /// Starts a thread that serves the mailbox until it is closed.
  static func startThread(named name: String, mailbox: CurlMailbox, limits: CurlMultiLimits, logger: Logger) {
    let thread = Thread {
      ccurl_block_sigpipe_in_this_thread()
      guard globalSetUp == CURLE_OK, let loop = CurlMultiLoop(mailbox: mailbox, limits: limits, logger: logger) else {
        logger.critical("libcurl could not be set up; no request can be sent")
        mailbox.detach()
        endAll(mailbox.take().jobs)
        return
      }
      loop.run()
    }
    thread.name = name
    thread.start()
  }

  private init?(mailbox: CurlMailbox, limits: CurlMultiLimits, logger: Logger) {
    guard let multi = curl_multi_init() else { return nil }
    self.multi = multi
    self.mailbox = mailbox
    self.logger = logger
    ccurl_multi_set_long(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, limits.connections)
    ccurl_multi_set_long(multi, CURLMOPT_MAX_HOST_CONNECTIONS, limits.connectionsPerHost)
    // As many idle connections are kept as may be open, so that none is closed only to be opened again.
    ccurl_multi_set_long(multi, CURLMOPT_MAXCONNECTS, limits.connections)
  }

  private func run() {
    mailbox.attach(multi)
    while true {
      let mail = mailbox.take()
      if mail.isStopping {
        Self.endAll(mail.jobs)
        break
      }
      for job in mail.jobs { start(job) }
      for ticket in mail.cancelled {
        if let handle = handles[ObjectIdentifier(ticket)] { end(handle, .cancelled) }
      }
      var running: Int32 = 0
      check(curl_multi_perform(multi, &running))
      endFinished()
      endOverdue()
      check(curl_multi_poll(multi, nil, 0, pollMilliseconds(), nil))
    }
    mailbox.detach()
    Self.endAll(mailbox.take().jobs)
    for handle in Array(active.keys) { end(handle, .cancelled) }
    for handle in spareHandles { curl_easy_cleanup(handle) }
    curl_multi_cleanup(multi)
  }

  private func start(_ job: CurlJob) {
    let transfer = job.makeTransfer()
    guard !job.ticket.isCancelled else { return transfer.end(.cancelled, nil, mayHaveSent: false) }
    let timeLeft = ContinuousClock.now.duration(to: job.deadline)
    guard timeLeft > .zero else { return transfer.end(.deadlinePassed, nil, mayHaveSent: false) }
    guard let handle = spareHandles.popLast() ?? curl_easy_init() else {
      return transfer.end(.notStarted(CURLE_OUT_OF_MEMORY), nil, mayHaveSent: false)
    }
    var easy = CurlEasy(handle)
    transfer.prepare(&easy, timeLeft: timeLeft)
    guard easy.firstFailure == CURLE_OK else {
      transfer.end(.notStarted(easy.firstFailure), easy, mayHaveSent: false)
      return recycle(handle)
    }
    guard curl_multi_add_handle(multi, handle) == CURLM_OK else {
      transfer.end(.notStarted(CURLE_FAILED_INIT), easy, mayHaveSent: false)
      return recycle(handle)
    }
    active[handle] = Active(transfer: transfer, easy: easy, deadline: job.deadline, ticket: job.ticket)
    handles[ObjectIdentifier(job.ticket)] = handle
    earliestDeadline = min(earliestDeadline ?? job.deadline, job.deadline)
  }

  private func endFinished() {
    var handle: UnsafeMutableRawPointer?
    var code = CURLE_OK
    while ccurl_next_finished(multi, &handle, &code) {
      if let handle { end(handle, .finished(code)) }
    }
  }

  /// libcurl applies a transfer's time limit only once it has a connection; a transfer that still waits for one is ended
  /// here.
  private func endOverdue() {
    let now = ContinuousClock.now
    guard let earliest = earliestDeadline, earliest <= now else { return }
    for (handle, entry) in active where entry.deadline <= now { end(handle, .deadlinePassed) }
    earliestDeadline = active.values.map(\.deadline).min()
  }

  private func end(_ handle: UnsafeMutableRawPointer, _ outcome: CurlOutcome) {
    guard let entry = active.removeValue(forKey: handle) else { return }
    handles[ObjectIdentifier(entry.ticket)] = nil
    let mayHaveSent = entry.easy.mayHaveSent
    curl_multi_remove_handle(multi, handle)
    entry.transfer.end(outcome, entry.easy, mayHaveSent: mayHaveSent)
    recycle(handle)
  }

  private func recycle(_ handle: UnsafeMutableRawPointer) {
    guard spareHandles.count < Self.maximumSpareHandles else { return curl_easy_cleanup(handle) }
    curl_easy_reset(handle)
    spareHandles.append(handle)
  }

  /// libcurl wakes by itself for its own timers and sockets; this bounds the sleep by the earliest deadline.
  private func pollMilliseconds() -> Int32 {
    guard let earliestDeadline else { return 60_000 }
    return Int32(clamping: min(60_000, ContinuousClock.now.duration(to: earliestDeadline).wholeMilliseconds()))
  }

  private func check(_ code: CURLMcode) {
    guard code != CURLM_OK else { return }
    // This never happens (out of memory, or a defect). Requests still end at their deadlines; this only avoids a busy loop.
    logger.error("libcurl multi failed", metadata: ["reason": "\(String(cString: curl_multi_strerror(code)))"])
    // The thread is the loop's own.
    Thread.sleep(forTimeInterval: 0.01)
  }

  private static func endAll(_ jobs: [CurlJob]) {
    for job in jobs { job.makeTransfer().end(.cancelled, nil, mayHaveSent: false) }
  }
}
