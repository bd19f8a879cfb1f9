/// A command on its way to a connection's thread.
struct RedisCommand: Sendable {
  typealias Answer = Result<RedisReply, RedisError>

  /// All words one after the other.
  let words: [UInt8]
  let lengths: [Int]
  let since: ContinuousClock.Instant
  let continuation: CheckedContinuation<Answer, Never>

  init(_ arguments: [RedisArgument], continuation: CheckedContinuation<Answer, Never>) {
    var words: [UInt8] = []
    words.reserveCapacity(arguments.reduce(0) { $0 + $1.bytes.count })
    for argument in arguments { words += argument.bytes }
    self.words = words
    lengths = arguments.map(\.bytes.count)
    since = .now
    self.continuation = continuation
  }

  func answer(_ answer: Answer) { continuation.resume(returning: answer) }
}
