extension RedisClient {
  /// Runs a command given as text; keys in it are as the server has them, with the prefix.
  @discardableResult
  package func send(_ arguments: [String]) async throws(RedisError) -> RedisReply {
    try await send(arguments.map { RedisArgument($0) })
  }

  /// Runs a command given as bytes; see `send(_:)`.
  @discardableResult
  package func send(_ arguments: [[UInt8]]) async throws(RedisError) -> RedisReply {
    try await send(arguments.map { RedisArgument($0) })
  }

  /// Whether the server answers.
  public func ping() async throws(RedisError) {
    try await send([RedisArgument("PING")])
  }

  /// The value of a key; `nil` when there is none.
  public func get(_ key: String) async throws(RedisError) -> [UInt8]? {
    try optionalBytes(await send(["GET", named(key)]))
  }

  /// The value of a key, which is then gone (Redis 6.2).
  public func getdel(_ key: String) async throws(RedisError) -> [UInt8]? {
    try optionalBytes(await send(["GETDEL", named(key)]))
  }

  /// Stores a value.
  /// - Parameters:
  ///   - onlyIfAbsent: leave an existing value alone (`NX`).
  ///   - expiry: how long the key lives, in whole milliseconds and at least one; `nil` keeps it for ever.
  /// - Returns: whether the value was stored; `false` only with `onlyIfAbsent`.
  @discardableResult
  public func set(
    _ key: String, _ value: RedisArgument, onlyIfAbsent: Bool = false, expiry: Duration? = nil
  ) async throws(RedisError) -> Bool {
    var command: [RedisArgument] = ["SET", named(key), value]
    if onlyIfAbsent { command.append("NX") }
    if let expiry { command += ["PX", RedisArgument(expiry.positiveMilliseconds)] }
    return try await !send(command).isNull
  }

  /// Stores bytes; see `set(_:_:onlyIfAbsent:expiry:)`.
  @discardableResult
  public func set(
    _ key: String, _ value: [UInt8], onlyIfAbsent: Bool = false, expiry: Duration? = nil
  ) async throws(RedisError) -> Bool {
    try await set(key, RedisArgument(value), onlyIfAbsent: onlyIfAbsent, expiry: expiry)
  }

  /// Stores text; see `set(_:_:onlyIfAbsent:expiry:)`.
  @discardableResult
  public func set(
    _ key: String, _ value: String, onlyIfAbsent: Bool = false, expiry: Duration? = nil
  ) async throws(RedisError) -> Bool {
    try await set(key, RedisArgument(value), onlyIfAbsent: onlyIfAbsent, expiry: expiry)
  }

  /// Removes keys.
  /// - Returns: how many there were.
  @discardableResult
  public func del(_ keys: String...) async throws(RedisError) -> Int {
    guard !keys.isEmpty else { return 0 }
    return try integer(await send([RedisArgument("DEL")] + keys.map(named)))
  }

  /// Adds to a counter, which begins at 0, and returns the sum.
  @discardableResult
  public func incr(_ key: String, by amount: Int = 1) async throws(RedisError) -> Int {
    try integer(await send(["INCRBY", named(key), RedisArgument(amount)]))
  }

  /// Lets a key end after this long, in whole milliseconds and at least one.
  /// - Returns: whether the key exists.
  @discardableResult
  public func expire(_ key: String, after lifetime: Duration) async throws(RedisError) -> Bool {
    try integer(await send(["PEXPIRE", named(key), RedisArgument(lifetime.positiveMilliseconds)])) == 1
  }

  /// Notes that a key was seen, and says whether that is new. Every call makes the memory last this long again, so a
  /// key repeated often enough stays remembered (Redis 6.2).
  /// - Returns: `true` the first time, or when the last time is longer ago than `time`.
  public func rememberOnce(_ key: String, for time: Duration) async throws(RedisError) -> Bool {
    try await send(["SET", named(key), "1", "PX", RedisArgument(time.positiveMilliseconds), "GET"]).isNull
  }

  /// Which of these keys there are, in their order.
  public func areThere(_ keys: [String]) async throws(RedisError) -> [Bool] {
    guard !keys.isEmpty else { return [] }
    let reply = try await send([RedisArgument("MGET")] + keys.map(named))
    guard let values = reply.array, values.count == keys.count else { throw .unexpectedReply(reply.kind) }
    return values.map { !$0.isNull }
  }

  /// A key as the server has it.
  func named(_ key: String) -> RedisArgument { RedisArgument(configuration.keyPrefix + key) }

  private func optionalBytes(_ reply: RedisReply) throws(RedisError) -> [UInt8]? {
    if reply.isNull { return nil }
    guard let bytes = reply.bytes else { throw .unexpectedReply(reply.kind) }
    return bytes
  }

  private func integer(_ reply: RedisReply) throws(RedisError) -> Int {
    guard let value = reply.integer else { throw .unexpectedReply(reply.kind) }
    return Int(value)
  }
}

extension Duration {
  /// Whole milliseconds, rounded up and at least one: Redis refuses an expiry of zero, and a shorter one would end
  /// before its time.
  var positiveMilliseconds: Int64 {
    let (seconds, attoseconds) = components
    guard seconds < Int64.max / 1000 - 1 else { return Int64.max / 1000 }
    return max(1, seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
  }
}
