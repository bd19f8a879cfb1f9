public import HTTPTypes
public import Hummingbird
import Logging

/// The routes of a server, and the layers that every request passes.
///
/// Routes, groups and middlewares are declared as with the framework's own router. The layers around them are, from the
/// outside in: the client's address, request id, access log, metrics, CORS per path, limits for each address, requests that
/// no route can serve (for example compressed bodies), wrong methods (405 with `Allow`), errors as envelopes. `HEAD` is
/// answered wherever `GET` is. A trailing slash changes nothing and causes no redirect.
public final class AppRouter: RouterMethods, HTTPResponderBuilder {
  public typealias Context = AppContext

  private let routes: Router<AppContext>
  private let metrics: MetricsRegistry?
  private let accessLog: AccessLogMiddleware
  private let requestTimeout: Duration?
  private let trustedProxies: TrustedProxies
  private var corsRules: [CORSMiddleware] = []
  private var limits: [AddressLimitMiddleware] = []

  /// - Parameters:
  ///   - metrics: where requests are counted; nil for nowhere.
  ///   - accessLog: the log of requests.
  ///   - requestTimeout: after this long a handler is cancelled and the caller gets 503 `TIMEOUT`; nil for never.
  ///   - trustedProxies: the proxies whose information about a client's address is believed.
  ///   - translate: the answer for errors of other modules; see ``ErrorMiddleware``.
  public init(
    metrics: MetricsRegistry? = nil, accessLog: AccessLogMiddleware = AccessLogMiddleware(),
    requestTimeout: Duration? = nil, trustedProxies: TrustedProxies = .none,
    translate: @escaping @Sendable (any Error) -> APIFailure? = { _ in nil }
  ) {
    routes = Router(context: AppContext.self, options: [.autoGenerateHeadEndpoints])
    self.metrics = metrics
    self.accessLog = accessLog
    self.requestTimeout = requestTimeout
    self.trustedProxies = trustedProxies
    routes.add(middleware: ErrorMiddleware(translate: translate))
  }

  /// Adds a route; a path and method can have only one.
  @discardableResult
  public func on<Responder: HTTPResponder>(
    _ path: RouterPath, method: HTTPRequest.Method, responder: Responder
  ) -> Self where Responder.Context == AppContext {
    routes.on(path, method: method, responder: responder)
    return self
  }

  /// Adds a middleware inside the error handling, for the routes declared after it and for unknown ones.
  @discardableResult
  public func add(middleware: any MiddlewareProtocol<Request, Response, AppContext>) -> Self {
    routes.add(middleware: middleware)
    return self
  }

  /// Applies a CORS policy to everything under a path, preflights, errors and unknown routes included.
  @discardableResult
  public func cors(_ policy: CORSPolicy, under path: String) -> Self {
    corsRules.append(CORSMiddleware(policy, under: path))
    return self
  }

  /// Refuses requests beyond a limit, before any route is called.
  @discardableResult
  public func limit(_ rule: AddressLimit, by limiter: RateLimiter) -> Self {
    limits.append(AddressLimitMiddleware(rule: rule, limiter: limiter))
    return self
  }

  /// Every route as `METHOD /path/{parameter}`, sorted by path.
  public var table: [String] {
    routes.routes.sorted { ($0.path.description, $0.method.rawValue) < ($1.path.description, $1.method.rawValue) }
      .map { "\($0.method.rawValue) \($0.path.description)" }
  }

  /// Freezes the routes. Later additions have no effect on the result.
  public func buildResponder() -> AppResponder {
    var layers: [any MiddlewareProtocol<Request, Response, AppContext>] = [RequestIDMiddleware(), accessLog]
    if let metrics { layers.append(MetricsMiddleware(metrics)) }
    layers.append(contentsOf: corsRules)
    layers.append(contentsOf: limits)
    layers.append(RequestAdmissionMiddleware())
    layers.append(MethodNotAllowedMiddleware(RouteTable(routes.routes.map { ($0.path, $0.method) })))
    return AppResponder(
      layers: layers, routes: routes.buildResponder(), timeout: requestTimeout, trustedProxies: trustedProxies)
  }
}

/// Answers requests: the frozen form of an ``AppRouter``.
public struct AppResponder: HTTPResponder {
  public typealias Context = AppContext

  private let chain: @Sendable (Request, AppContext) async throws -> Response
  private let trustedProxies: TrustedProxies

  init(
    layers: [any MiddlewareProtocol<Request, Response, AppContext>], routes: RouterResponder<AppContext>,
    timeout: Duration?, trustedProxies: TrustedProxies
  ) {
    self.trustedProxies = trustedProxies
    var chain: @Sendable (Request, AppContext) async throws -> Response = { request, context in
      guard let timeout else { return try await routes.respond(to: request, context: context) }
      return try await Self.respond(to: request, context: context, routes: routes, within: timeout)
    }
    for layer in layers.reversed() {
      chain = { [chain] request, context in try await layer.handle(request, context: context, next: chain) }
    }
    self.chain = chain
  }

  /// Runs a request through all layers to its handler. Throws only what the server itself answers: bytes that are not HTTP.
  public func respond(to request: Request, context: AppContext) async throws -> Response {
    var context = context
    context.clientAddress = trustedProxies.client(of: context.clientAddress, request.headers)
    let response = try await chain(request, context)
    // An answer to HEAD has no body, not even when it is an error (RFC 9110, section 9.3.2).
    return request.method == .head ? response.createHeadResponse() : response
  }
}

extension AppResponder {
  /// The handler's answer, or 503 after the time limit. The handler is cancelled and awaited, so that nothing continues
  /// unnoticed.
  private static func respond(
    to request: Request, context: AppContext, routes: RouterResponder<AppContext>, within timeout: Duration
  ) async throws -> Response {
    try await withThrowingTaskGroup(of: Response?.self) { group in
      group.addTask { try await routes.respond(to: request, context: context) }
      group.addTask {
        try await Task.sleep(for: timeout)
        return nil
      }
      defer { group.cancelAll() }
      // Two tasks were added, so there is a first result.
      if let first = try await group.next(), let response = first { return response }
      context.logger.warning("The request took too long", metadata: ["limit": "\(timeout)"])
      return Answer.failure(.unavailable("the request took too long", code: "TIMEOUT"), context: context)
    }
  }
}

/// Names the request in its answer: `X-Request-Id`.
public struct RequestIDMiddleware: RouterMiddleware {
  public typealias Context = AppContext

  /// There is nothing to configure.
  public init() {}

  public func handle(
    _ request: Request, context: AppContext, next: (Request, AppContext) async throws -> Response
  ) async throws -> Response {
    var response = try await next(request, context)
    response.headers[.xRequestID] = context.requestID
    return response
  }
}

/// Distinguishes a path that exists for other methods (405) from one that does not exist (404).
struct MethodNotAllowedMiddleware: RouterMiddleware {
  typealias Context = AppContext

  let table: RouteTable

  init(_ table: RouteTable) { self.table = table }

  func handle(
    _ request: Request, context: AppContext, next: (Request, AppContext) async throws -> Response
  ) async throws -> Response {
    let response = try await next(request, context)
    guard response.status == .notFound, context.endpointPath == RouteLabel.notFound else { return response }
    guard let route = table.match(request.uri.path) else { return response }
    context.coreContext.endpointPath.value = route.template
    return Answer.failure(.methodNotAllowed(request.method.rawValue, allowed: route.methods), context: context)
  }
}

/// The methods of every path. The search is linear, which is enough because only requests without a route get here.
struct RouteTable: Sendable {
  private let entries: [(path: RouterPath, methods: [String])]

  init(_ routes: [(path: RouterPath, method: HTTPRequest.Method)]) {
    var entries: [(path: RouterPath, methods: [String])] = []
    for route in routes {
      if let index = entries.firstIndex(where: { $0.path == route.path }) {
        entries[index].methods.append(route.method.rawValue)
      } else {
        entries.append((route.path, [route.method.rawValue]))
      }
    }
    // A fixed name wins over a parameter, as it does in the router.
    self.entries = entries.sorted { Self.captures($0.path) < Self.captures($1.path) }
  }

  func match(_ path: String) -> (template: String, methods: [String])? {
    let parts = path.split(separator: "/")
    guard let entry = entries.first(where: { Self.matches($0.path, parts) }) else { return nil }
    var methods = entry.methods
    if methods.contains("GET"), !methods.contains("HEAD") { methods.append("HEAD") }
    return (entry.path.description, methods.sorted())
  }

  private static func captures(_ path: RouterPath) -> Int {
    path.components.count { $0.description.contains("{") || $0.description.contains("*") }
  }

  private static func matches(_ path: RouterPath, _ parts: [Substring]) -> Bool {
    var parts = parts[...]
    for (index, component) in path.components.enumerated() {
      guard let part = parts.popFirst(), component ~= part else { return false }
      if component == .recursiveWildcard, index == path.components.count - 1 { return true }
    }
    return parts.isEmpty
  }
}
