internal import CHiredis

/// One hiredis connection, blocking, used by one thread. Every call is bounded in time.
///
/// hiredis writes and reads the protocol. The bytes go over its own socket, or through TLS on it.
final class RedisConnection {
  private let context: UnsafeMutablePointer<redisContext>
  private var tls: TLSSession?
  /// What the next `flush` sends through TLS.
  private var outgoing: [UInt8] = []
  private let timeout: Duration

  /// Connects, logs in, selects the database and waits for a first reply.
  init(_ configuration: RedisConfiguration, resolver: HostResolver) throws(RedisError) {
    timeout = configuration.timeout
    let limit = Int(configuration.connectTimeout.positiveMilliseconds)
    let opened: UnsafeMutablePointer<redisContext>?
    switch configuration.address.endpoint {
    case .tcp(let host, let port), .tls(let host, let port):
      let address = try resolver.address(of: host, within: configuration.connectTimeout)
      opened = chiredis_connect_tcp(address, Int32(port), limit)
    case .unix(let path):
      opened = chiredis_connect_unix(path, limit)
    }
    guard let opened else { throw .unavailable("out of memory") }
    context = opened
    guard context.pointee.err == 0 else { throw failure() }
    if case .tls(let host, _) = configuration.address.endpoint {
      guard chiredis_set_timeout(context, limit) == REDIS_OK else { throw failure() }
      tls = try TLSSession(socket: chiredis_socket(context), host: host)
    }
    guard chiredis_set_timeout(context, Int(timeout.positiveMilliseconds)) == REDIS_OK else { throw failure() }
    try logIn(configuration.address)
  }

  deinit {
    tls = nil  // before the socket under it
    redisFree(context)
  }

  /// Whether the server closed the connection. Ask only if no reply is awaited: then there is nothing else to read.
  var wasClosedWhileIdle: Bool {
    guard chiredis_wait_readable(context, 0) != 0 else { return false }
    // Through TLS something may have come that is no reply: a ticket for a later session.
    if let tls, case .nothing = tls.read() { return false }
    return true
  }

  /// Adds a command to what the next `flush` writes.
  func append(_ command: RedisCommand) throws(RedisError) {
    try append(words: command.words, lengths: command.lengths)
  }

  /// Writes everything appended.
  func flush() throws(RedisError) {
    if let tls {
      defer { outgoing.removeAll(keepingCapacity: true) }
      return try tls.write(outgoing)
    }
    var isDone: Int32 = 0
    repeat {
      guard redisBufferWrite(context, &isDone) == REDIS_OK else { throw failure() }
    } while isDone == 0
  }

  /// The next awaited reply. Waits at most for the configured time of silence, and not beyond the deadline.
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
      if tls?.hasPending != true {
        switch chiredis_wait_readable(context, Int32(clamping: timeLeft.positiveMilliseconds)) {
        case 0: throw .timeout
        case 1...: break
        default: throw .unavailable("poll failed")
        }
      }
      try read()
    }
  }

  /// Hands what has come to hiredis' reader.
  private func read() throws(RedisError) {
    guard let tls else {
      guard redisBufferRead(context) == REDIS_OK else { throw failure() }
      return
    }
    switch tls.read() {
    case .nothing: return
    case .closed: throw .unavailable("TLS: the server closed the connection")
    case .bytes(let bytes):
      let fed = bytes.withUnsafeBytes { buffer in
        chiredis_feed(context, buffer.baseAddress?.assumingMemoryBound(to: CChar.self), buffer.count)
      }
      guard fed == REDIS_OK else { throw .unavailable("out of memory") }
    }
  }

  private func logIn(_ address: RedisAddress) throws(RedisError) {
    if let password = address.password {
      try expectStatus([RedisArgument("AUTH")] + [address.user, password].compactMap { $0.map { RedisArgument($0) } })
    }
    if address.database != 0 { try expectStatus(["SELECT", RedisArgument(address.database)]) }
    // A server that is still loading its data answers this with an error, and is tried again later.
    try expectStatus(["PING"])
    // A replica accepts no writes. If a server does not tell its role (an access list), it is used as it is.
    if case .array(let role) = try ask(["ROLE"]), role.first?.string == "slave" {
      throw .unavailable("the server is a replica")
    }
  }

  private func ask(_ command: [RedisArgument]) throws(RedisError) -> RedisReply {
    try append(words: command.flatMap(\.bytes), lengths: command.map(\.bytes.count))
    try flush()
    return try nextReply(deadline: .now + timeout)
  }

  private func expectStatus(_ command: [RedisArgument]) throws(RedisError) {
    switch try ask(command) {
    case .status: return
    case .error(let text): throw .unavailable(text)
    case let other: throw .unexpectedReply(other.kind)
    }
  }

  private func append(words: [UInt8], lengths: [Int]) throws(RedisError) {
    // A word without bytes still needs an address, so there is always at least one byte to point to.
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
      guard tls != nil else { return chiredis_append(context, Int32(clamping: lengths.count), &pointers, lengths) }
      var text: UnsafeMutablePointer<CChar>?
      let count = chiredis_format(&text, Int32(clamping: lengths.count), &pointers, lengths)
      guard count >= 0, let text else { return REDIS_ERR }
      outgoing.append(contentsOf: UnsafeRawBufferPointer(start: text, count: Int(count)))
      redisFreeCommand(text)
      return REDIS_OK
    }
    guard result == REDIS_OK else { throw failure() }
  }

  /// What hiredis says went wrong, in its own fixed words or the system's; no command and no reply is in it.
  private func failure() -> RedisError {
    // This check comes first, because it reads errno, which any other call may change.
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
