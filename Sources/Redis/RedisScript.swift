internal import Synchronization

/// A Lua script that runs as one indivisible step inside the server.
public struct RedisScript: Sendable, Hashable {
  /// The Lua text.
  public let source: String

  /// A script. Keep it in a `static let`: its text is also its name.
  public init(_ source: String) { self.source = source }
}

extension RedisClient {
  /// Runs a script by its digest; a server that does not know it (after a restart or `SCRIPT FLUSH`) is given the text.
  ///
  /// - Parameters:
  ///   - keys: the keys it touches, `KEYS` in the script.
  ///   - arguments: `ARGV` in the script.
  @discardableResult
  public func eval(
    _ script: RedisScript, keys: [String], arguments: [RedisArgument] = []
  ) async throws(RedisError) -> RedisReply {
    let operands = [RedisArgument(keys.count)] + keys.map(named) + arguments
    let digest = try await digest(of: script)
    do {
      return try await send([RedisArgument("EVALSHA"), RedisArgument(digest)] + operands)
    } catch .server(let text) where text.hasPrefix("NOSCRIPT") {
      // The script did not run. EVAL runs it and makes the server remember it under the same digest.
      return try await send([RedisArgument("EVAL"), RedisArgument(script.source)] + operands)
    }
  }

  /// The name the server gives the script (its SHA-1), asked for once in this client's life.
  private func digest(of script: RedisScript) async throws(RedisError) -> String {
    if let known = scriptDigests.withLock({ $0[script] }) { return known }
    let reply = try await send(["SCRIPT", "LOAD", RedisArgument(script.source)])
    guard let digest = reply.string else { throw .unexpectedReply(reply.kind) }
    scriptDigests.withLock { $0[script] = digest }
    return digest
  }
}
