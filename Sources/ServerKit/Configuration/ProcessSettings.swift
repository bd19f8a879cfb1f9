import Foundation
public import Logging

/// What every server process needs from its environment, whatever it serves.
public struct ProcessSettings: Sendable {
  /// `HTTP_ADDRESS`, by default `127.0.0.1:8080`; port 0 takes a free one.
  public var address: ServerAddress
  /// `TRUSTED_PROXIES`: the proxies whose information about a client's address is believed.
  public var trustedProxies: TrustedProxies
  /// `DATABASE_URL`
  public var databaseURL: String
  /// `REDIS_URL`; nil means no Redis.
  public var redisURL: String?
  /// `DATABASE_CONNECTIONS`: the most connections, by default 16. Connections that a part of the program opens itself are not
  /// included.
  public var databaseConnections: Int
  /// `LOG_LEVEL` and `LOG_FORMAT`
  public var logLevel: Logger.Level
  public var logFormat: LogFormat
  /// `PORT_FILE`: where the bound address is written once the server listens.
  public var portFile: String?

  /// Reads the settings; what is missing or wrong is collected in the reader.
  public static func read(from environment: inout EnvironmentReader) -> ProcessSettings {
    ProcessSettings(
      address: environment.address("HTTP_ADDRESS", default: ServerAddress(host: "127.0.0.1", port: 8080)),
      trustedProxies: TrustedProxies(environment.networks("TRUSTED_PROXIES", example: "10.0.0.0/8,fd00::/8")),
      databaseURL: environment.required(
        "DATABASE_URL", expected: "a PostgreSQL URL", example: "postgres://user@127.0.0.1:5432/database",
        isSecret: true),
      redisURL: environment.optional("REDIS_URL", isSecret: true),
      databaseConnections: environment.int("DATABASE_CONNECTIONS", in: 2...500, default: 16),
      logLevel: environment.choice("LOG_LEVEL", default: Logger.Level.info),
      logFormat: environment.choice("LOG_FORMAT", default: LogFormat.text),
      portFile: environment.optional("PORT_FILE"))
  }
}

extension ProcessSettings {
  /// The limits of the HTTP server. Connections to the database need open files too.
  public var httpLimits: HTTPService.Limits {
    var limits = HTTPService.Limits()
    limits.reservedFiles += databaseConnections
    return limits
  }

  /// Reports where the server listens: in the log and, if one is configured, in the port file.
  public func announce(_ address: ServerAddress, logger: Logger) {
    logger.info("listening", metadata: ["address": "\(address)"])
    guard let portFile else { return }
    do {
      try "\(address)\n".write(toFile: portFile, atomically: true, encoding: .utf8)
    } catch {
      logger.error("the port file cannot be written", metadata: ["file": "\(portFile)"])
    }
  }
}
