public import Hummingbird
import Logging

/// One line per request: method, route, status, duration in milliseconds, under the request's id.
///
/// The route is logged as its template (`/orders/{id}`), since a path can contain a secret; a path without a route is logged
/// itself. A query, header or body is never logged.
public struct AccessLogMiddleware: RouterMiddleware {
  public typealias Context = AppContext

  let quietRoutes: Set<String>

  /// - Parameter quietRoutes: templates of frequent requests, such as probes; logged at debug level.
  public init(quietRoutes: Set<String> = ["/health", "/healthz", "/readyz", "/metrics"]) {
    self.quietRoutes = quietRoutes
  }

  public func handle(
    _ request: Request, context: AppContext, next: (Request, AppContext) async throws -> Response
  ) async throws -> Response {
    let response = try await next(request, context)
    let route = RouteLabel.of(context)
    let level: Logger.Level = route.map(quietRoutes.contains) ?? false ? .debug : .info
    guard context.logger.logLevel <= level else { return response }
    context.logger.log(
      level: level, "request",
      metadata: [
        "method": .string(request.method.rawValue),
        "route": .string(route ?? String(request.uri.path.prefix(200))),
        "status": .stringConvertible(response.status.code),
        "duration_ms": .stringConvertible(Self.milliseconds(since: context.startedAt)),
      ])
    return response
  }

  private static func milliseconds(since start: ContinuousClock.Instant) -> Double {
    Double(((.now - start) / .microseconds(10)).rounded()) / 100
  }
}

/// The route of a request as a label that has few values.
enum RouteLabel {
  /// What the framework writes for a request without a route.
  static let notFound = "NotFound"

  /// The template of the route, or nil when there was none.
  static func of(_ context: AppContext) -> String? {
    context.endpointPath.flatMap { $0 == notFound ? nil : $0 }
  }
}
