/// The state of one connection. A value: inputs in, actions out, no I/O.
struct ConnectionState: Sendable, Equatable {
  enum Phase: Sendable, Equatable {
    /// Not connected yet, or the connection was lost; may connect.
    case disconnected
    case idle
    /// In a transaction that can go on; the number tells whose.
    case inTransaction(Int)
    /// In a transaction that the server will only roll back.
    case failed(Int)
    case closed
  }

  /// What the server says about the session after an answer.
  enum ServerStatus: Sendable, Equatable { case idle, inTransaction, failed, lost }

  enum Start: Sendable, Equatable {
    case proceed
    /// The statement must not be sent.
    case refuse(Refusal)
  }

  enum Refusal: Sendable, Equatable { case closed, disconnected, transactionOver, transactionOpen }

  enum Finish: Sendable, Equatable {
    case commit
    /// The transaction failed before. It is rolled back, and the caller is told that nothing was kept.
    case rollBackBecauseFailed
    case refuse(Refusal)
  }

  enum Cleanup: Sendable, Equatable { case reuse, rollBack, discard }

  private(set) var phase: Phase = .disconnected
  private var lastTransaction = 0

  mutating func connected() {
    if phase != .closed { phase = .idle }
  }

  mutating func lost() {
    if phase != .closed { phase = .disconnected }
  }

  mutating func close() { phase = .closed }

  /// The number of a new transaction, which `began` makes current after the server agreed.
  mutating func nextTransaction() -> Int {
    lastTransaction += 1
    return lastTransaction
  }

  /// May a statement start? With a transaction's number, only inside that transaction; without, only outside of any.
  func start(transaction: Int?) -> Start {
    switch phase {
    case .closed: return .refuse(.closed)
    case .disconnected: return .refuse(transaction == nil ? .disconnected : .transactionOver)
    case .idle: return transaction == nil ? .proceed : .refuse(.transactionOver)
    case .inTransaction(let current), .failed(let current):
      // A statement in a failed transaction is sent: the server's own error (25P02) says best what happened.
      if let transaction { return transaction == current ? .proceed : .refuse(.transactionOver) }
      return .refuse(.transactionOpen)
    }
  }

  /// May the transaction be committed?
  func finish(transaction: Int) -> Finish {
    switch phase {
    case .inTransaction(transaction): .commit
    case .failed(transaction): .rollBackBecauseFailed
    case .closed: .refuse(.closed)
    case .disconnected: .refuse(.disconnected)
    case .idle, .inTransaction, .failed: .refuse(.transactionOver)
    }
  }

  /// An answer came. `opening` is the number of the transaction that the statement was to open.
  mutating func ended(server: ServerStatus, opening: Int? = nil) {
    guard phase != .closed else { return }
    let current: Int
    switch phase {
    case .inTransaction(let number), .failed(let number): current = opening ?? number
    default: current = opening ?? 0
    }
    switch server {
    case .idle: phase = .idle
    case .inTransaction: phase = .inTransaction(current)
    case .failed: phase = .failed(current)
    case .lost: phase = .disconnected
    }
  }

  /// What must happen before somebody else uses the connection.
  var cleanup: Cleanup {
    switch phase {
    case .idle: .reuse
    case .inTransaction, .failed: .rollBack
    case .disconnected, .closed: .discard
    }
  }
}
