internal import CCurl
internal import Synchronization

/// What callers leave for the multi thread. Only the first message since the thread last looked wakes it.
final class CurlMailbox: Sendable {
  /// Everything left since the last look.
  struct Mail {
    var jobs: [CurlJob] = []
    var cancelled: [CurlTicket] = []
    var isStopping = false

    var isEmpty: Bool { jobs.isEmpty && cancelled.isEmpty && !isStopping }
  }

  private struct State {
    var mail = Mail()
    var isClosed = false
    var waker: Waker?
  }

  /// SAFETY: holds a multi handle only to call `curl_multi_wakeup`, the one function libcurl documents as callable from
  /// any thread while the handle lives. The mailbox calls it under its lock, and the thread takes the waker away under
  /// the same lock before it frees the handle.
  private struct Waker: @unchecked Sendable {
    let multi: UnsafeMutableRawPointer

    func wake() { curl_multi_wakeup(multi) }
  }

  private let state = Mutex(State())

  /// Leaves a job; `false` when the thread has ended or is ending.
  func submit(_ job: CurlJob) -> Bool {
    leave { mail in mail.jobs.append(job) }
  }

  /// Asks for a job to be ended early; harmless when it is already over.
  func cancel(_ ticket: CurlTicket) {
    ticket.markCancelled()
    _ = leave { mail in mail.cancelled.append(ticket) }
  }

  /// Asks the thread to end all transfers and itself. Nothing can be submitted after that.
  func close() {
    state.withLock { state in
      guard !state.isClosed else { return }
      state.isClosed = true
      state.mail.isStopping = true
      state.waker?.wake()
    }
  }

  /// The thread calls this: from now on it can be woken.
  func attach(_ multi: UnsafeMutableRawPointer) {
    let waker = Waker(multi: multi)
    state.withLock { $0.waker = waker }
  }

  /// Called by the thread before it frees the multi handle.
  func detach() {
    state.withLock { state in
      state.waker = nil
      state.isClosed = true
    }
  }

  /// Called by the thread: everything left so far.
  func take() -> Mail {
    state.withLock { state in
      defer { state.mail = Mail() }
      return state.mail
    }
  }

  private func leave(_ change: (inout Mail) -> Void) -> Bool {
    state.withLock { state in
      guard !state.isClosed else { return false }
      let wasEmpty = state.mail.isEmpty
      change(&state.mail)
      if wasEmpty { state.waker?.wake() }
      return true
    }
  }
}
