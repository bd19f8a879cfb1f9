/// A Lua script that runs as one indivisible step inside the server.
public struct RedisScript: Sendable, Hashable {
  /// The Lua text.
  public let source: String

  /// A script. Keep it in a `static let`: the text also names the script.
  public init(_ source: String) { self.source = source }
}

extension RedisClient {
  /// Runs a script by its digest; a server that does not know it (yet, or after a restart) is given the text again.
  @discardableResult
  public func eval(
    _ script: RedisScript, keys: [String], arguments: [RedisArgument] = []
  ) async throws(RedisError) -> RedisReply {
    throw .unavailable("not built")
  }
}
