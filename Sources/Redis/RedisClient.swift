public import Logging

public final class RedisClient: Sendable {
  public init(_ configuration: RedisConfiguration, logger: Logger) {
  }

  public func run() async {
  }

  public func shutdown() {
  }

  @discardableResult
  public func send(_ arguments: [RedisArgument]) async throws(RedisError) -> RedisReply {
    throw .unavailable("not built")
  }
}
