internal import CHiredis

/// One hiredis connection, blocking, used by one thread. Every call is bounded in time.
final class RedisConnection {
  private let context: UnsafeMutablePointer<redisContext>
  private let timeout: Duration

  /// Connects, logs in, selects the database and waits for a first reply.
  init(_ configuration: RedisConfiguration, resolver: HostResolver) throws(RedisError) {
    timeout = configuration.timeout
    let limit = Int(configuration.connectTimeout.positiveMilliseconds)
    let opened: UnsafeMutablePointer<redisContext>?
    switch configuration.address.endpoint {
    case .tcp(let host, let port):
      let address = try resolver.address(of: host, within: configuration.connectTimeout)
      opened = chiredis_connect_tcp(address, Int32(port), limit)
    case .unix(let path):
      opened = chiredis_connect_unix(path, limit)
    }
    guard let opened else { throw .unavailable("out of memory") }
    context = opened
    guard context.pointee.err == 0 else { throw failure() }
    guard chiredis_set_timeout(context, Int(timeout.positiveMilliseconds)) == REDIS_OK else { throw failure() }
    try logIn(configuration.address)
  }

  deinit { redisFree(context) }

  /// Whether the server closed the connection. Ask only when no reply is owed: then there is nothing to read but that.
  var wasClosedWhileIdle: Bool { chiredis_wait_readable(context, 0) != 0 }

  /// Adds a command to what the next `flush` writes.
  func append(_ command: RedisCommand) throws(RedisError) {
    try append(words: command.words, lengths: command.lengths)
  }

  /// Writes everything appended.
  func flush() throws(RedisError) {
    var isDone: Int32 = 0
    repeat {
      guard redisBufferWrite(context, &isDone) == REDIS_OK else { throw failure() }
    } while isDone == 0
  }

  /// The next reply owed, waiting for the configured time of silence at most, and not beyond the deadline.
  func nextReply(deadline: ContinuousClock.Instant) throws(RedisError) -> RedisReply {
    while true {
      var found: UnsafeMutableRawPointer?
      guard redisGetReplyFromReader(context, &found) == REDIS_OK else { throw failure() }
      if let found {
        defer { freeReplyObject(found) }
        return Self.reply(found.assumingMemoryBound(to: redisReply.self).pointee)
      }
      let timeLeft = min(timeout, ContinuousClock.now.duration(to: deadline))
      guard timeLeft > .zero else { throw .timeout }
      switch chiredis_wait_readable(context, Int32(clamping: timeLeft.positiveMilliseconds)) {
      case 0: throw .timeout
      case 1...: guard redisBufferRead(context) == REDIS_OK else { throw failure() }
      default: throw .unavailable("poll failed")
      }
    }
  }

  private func logIn(_ address: RedisAddress) throws(RedisError) {
    if let password = address.password {
      try expectStatus([RedisArgument("AUTH")] + [address.user, password].compactMap { $0.map { RedisArgument($0) } })
    }
    if address.database != 0 { try expectStatus(["SELECT", RedisArgument(address.database)]) }
    // A server that is still loading its data answers this with an error, and is tried again later.
    try expectStatus(["PING"])
  }

  private func expectStatus(_ command: [RedisArgument]) throws(RedisError) {
    try append(words: command.flatMap(\.bytes), lengths: command.map(\.bytes.count))
    try flush()
    switch try nextReply(deadline: .now + timeout) {
    case .status: return
    case .error(let text): throw .unavailable(text)
    case let other: throw .unexpectedReply(other.kind)
    }
  }

  private func append(words: [UInt8], lengths: [Int]) throws(RedisError) {
    // A word of no bytes still needs an address, so there is always at least one byte to point at.
    let bytes = words.isEmpty ? [0] : words
    let result = bytes.withUnsafeBytes { buffer -> Int32 in
      guard let base = buffer.baseAddress?.assumingMemoryBound(to: CChar.self) else { return REDIS_ERR }
      var pointers: [UnsafePointer<CChar>?] = []
      pointers.reserveCapacity(lengths.count)
      var offset = 0
      for length in lengths {
        pointers.append(base + offset)
        offset += length
      }
      return chiredis_append(context, Int32(clamping: lengths.count), &pointers, lengths)
    }
    guard result == REDIS_OK else { throw failure() }
  }

  /// What hiredis says went wrong, in its own fixed words or the system's; no command and no reply is in it.
  private func failure() -> RedisError {
    // Asked first: it looks at errno, which any other call may change.
    if chiredis_timed_out(context) { return .timeout }
    return .unavailable(String(cString: chiredis_error_text(context)))
  }

  private static func reply(_ reply: redisReply) -> RedisReply {
    switch reply.type {
    case REDIS_REPLY_STRING: .bytes(bytes(of: reply))
    case REDIS_REPLY_STATUS: .status(String(decoding: bytes(of: reply), as: UTF8.self))
    case REDIS_REPLY_ERROR: .error(String(decoding: bytes(of: reply), as: UTF8.self))
    case REDIS_REPLY_INTEGER: .integer(reply.integer)
    case REDIS_REPLY_ARRAY:
      .array((0..<reply.elements).compactMap { index in reply.element[index].map { self.reply($0.pointee) } })
    default: .null
    }
  }

  private static func bytes(of reply: redisReply) -> [UInt8] {
    Array(UnsafeRawBufferPointer(start: reply.str, count: reply.len))
  }
}
