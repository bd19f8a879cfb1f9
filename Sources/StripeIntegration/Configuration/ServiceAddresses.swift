import Postgres
import Redis
package import ServerKit

extension EnvironmentReader {
  /// Records a problem if the client cannot read `DATABASE_URL` or `REDIS_URL`. Then the start fails with all problems
  /// together, and the message names the variable.
  package mutating func checkServiceAddresses() {
    _ = value(
      "DATABASE_URL", expected: "a PostgreSQL URL or libpq keywords",
      example: "postgres://licensekit@127.0.0.1:5432/licensekit", isSecret: true
    ) { try? PostgresConfiguration(url: $0) }
    _ = value(
      "REDIS_URL", expected: "a Redis URL, over TCP or a socket", example: "redis://127.0.0.1:6379 or unix:///path",
      isSecret: true
    ) { try? RedisConfiguration(url: $0) }
  }
}
