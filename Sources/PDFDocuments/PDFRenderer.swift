internal import Foundation
internal import Synchronization

/// Writes documents on threads of its own, so that no task's thread is held while one is drawn. At rest it has no
/// thread.
public final class PDFRenderer: Sendable {
  private struct Job: Sendable {
    var document: PDFDocument
    var done: @Sendable (Result<[UInt8], PDFRenderingError>) -> Void
  }

  private struct State: Sendable {
    var waiting: [Job] = []
    var threads = 0
  }

  private let maximumThreads: Int
  private let maximumWaiting: Int
  private let maximumPages: Int
  private let state = Mutex(State())

  /// - Parameters:
  ///   - maximumThreads: documents that are drawn at once.
  ///   - maximumWaiting: documents that may wait for their turn; one more is refused.
  ///   - maximumPages: of one document.
  public init(maximumThreads: Int = 2, maximumWaiting: Int = 32, maximumPages: Int = 1_000) {
    precondition(maximumThreads > 0 && maximumWaiting > 0 && maximumPages > 0, "limits must be positive")
    self.maximumThreads = maximumThreads
    self.maximumWaiting = maximumWaiting
    self.maximumPages = maximumPages
  }

  /// The document as a PDF file. A document that has begun is finished even when the task is cancelled.
  public func render(_ document: PDFDocument) async throws(PDFRenderingError) -> [UInt8] {
    let result = await withCheckedContinuation { continuation in
      submit(Job(document: document) { continuation.resume(returning: $0) })
    }
    return try result.get()
  }

  private func submit(_ job: Job) {
    enum Verdict { case refused, waits, needsThread }
    let verdict = state.withLock { state -> Verdict in
      guard state.waiting.count < maximumWaiting else { return .refused }
      state.waiting.append(job)
      guard state.threads < maximumThreads else { return .waits }
      state.threads += 1
      return .needsThread
    }
    switch verdict {
    case .refused: job.done(.failure(.overloaded))
    case .waits: break
    case .needsThread:
      let thread = Thread { [self] in
        while let job = next() { job.done(Result { () throws(PDFRenderingError) in try encode(job.document) }) }
      }
      thread.name = "pdf"
      thread.start()
    }
  }

  private func encode(_ document: PDFDocument) throws(PDFRenderingError) -> [UInt8] {
    try document.encoded(maximumPages: maximumPages)
  }

  /// The next document; nil ends the thread.
  private func next() -> Job? {
    state.withLock { state in
      guard !state.waiting.isEmpty else {
        state.threads -= 1
        return nil
      }
      return state.waiting.removeFirst()
    }
  }
}
