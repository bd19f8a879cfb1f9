import CoreMetrics
public import Hummingbird
import Synchronization

/// Counts requests and measures how long they take: `http_requests_total{method,route,status}`,
/// `http_request_duration_seconds{method,route}` and `http_requests_in_flight`. The route is the template, and every
/// path without one is `unmatched`, so that visitors cannot make up label values.
public struct MetricsMiddleware: RouterMiddleware {
  public typealias Context = AppContext

  private let instruments: HTTPInstruments

  /// - Parameter registry: where the instruments live.
  public init(_ registry: MetricsRegistry) {
    instruments = HTTPInstruments(registry)
  }

  public func handle(
    _ request: Request, context: AppContext, next: (Request, AppContext) async throws -> Response
  ) async throws -> Response {
    instruments.inFlight.increment(by: 1)
    defer { instruments.inFlight.decrement(by: 1) }
    let response = try await next(request, context)
    let (counter, timer) = instruments.handlers(
      .init(
        method: HTTPInstruments.label(request.method), route: RouteLabel.of(context) ?? "unmatched",
        status: response.status.code))
    counter.increment(by: 1)
    timer.recordNanoseconds(Int64((.now - context.startedAt) / .nanoseconds(1)))
    return response
  }
}

/// The instruments of ``MetricsMiddleware``, looked up once per combination of labels.
private final class HTTPInstruments: Sendable {
  struct Key: Hashable {
    let method: String
    let route: String
    let status: Int
  }

  let inFlight: any MeterHandler
  private let registry: MetricsRegistry
  private let cache = Mutex<[Key: (any CounterHandler, any TimerHandler)]>([:])

  init(_ registry: MetricsRegistry) {
    self.registry = registry
    inFlight = registry.makeMeter(label: "http_requests_in_flight", dimensions: [])
  }

  func handlers(_ key: Key) -> (any CounterHandler, any TimerHandler) {
    cache.withLock { cache in
      if let known = cache[key] { return known }
      let labels = [("method", key.method), ("route", key.route)]
      let made: (any CounterHandler, any TimerHandler) = (
        registry.makeCounter(label: "http_requests", dimensions: labels + [("status", String(key.status))]),
        registry.makeTimer(label: "http_request_duration", dimensions: labels)
      )
      cache[key] = made
      return made
    }
  }

  static func label(_ method: HTTPRequest.Method) -> String {
    switch method {
    case .get, .head, .post, .put, .patch, .delete, .options: method.rawValue
    default: "OTHER"
    }
  }
}
