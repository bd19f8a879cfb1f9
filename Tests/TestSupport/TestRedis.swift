/// A real Redis, shared by all tests; each caller stays under its own prefix.
public struct TestRedis: Sendable {
  public let url: String
  /// Put it before every key: `test:k3x…:`.
  public let keyPrefix: String

  public static func make() throws -> TestRedis {
    TestRedis(url: try TestEnvironment.value("REDIS_URL"), keyPrefix: "test:\(TestEnvironment.uniqueSuffix()):")
  }
}
