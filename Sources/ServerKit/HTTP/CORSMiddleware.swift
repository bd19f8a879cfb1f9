import HTTPTypes
public import Hummingbird

/// Puts a ``CORSPolicy`` on every answer under a path: data, errors, refusals by a limit, unknown routes and wrong
/// methods alike. A preflight is answered here, with 204 and before any authentication, since browsers send it
/// without credentials.
///
/// It must be outside everything that can fail; ``AppRouter/cors(_:under:)`` puts it there.
public struct CORSMiddleware: RouterMiddleware {
  public typealias Context = AppContext

  let policy: CORSPolicy
  let prefix: [Substring]

  /// - Parameter path: the policy applies below this path, such as `/widget`.
  public init(_ policy: CORSPolicy, under path: String) {
    self.policy = policy
    prefix = path.split(separator: "/").map { Substring($0) }
  }

  public func handle(
    _ request: Request, context: AppContext, next: (Request, AppContext) async throws -> Response
  ) async throws -> Response {
    guard request.uri.path.split(separator: "/").starts(with: prefix) else {
      return try await next(request, context)
    }
    let origin = request.headers[.origin]
    if request.method == .options, origin != nil || request.headers[.accessControlRequestMethod] != nil {
      context.coreContext.endpointPath.value = "/\(prefix.joined(separator: "/"))/**"
      return Answer.empty(headers: policy.preflightHeaders(origin: origin))
    }
    var response = try await next(request, context)
    for field in policy.headers(origin: origin) {
      if field.name == .vary {
        if !response.headers[values: .vary].contains(field.value) { response.headers.append(field) }
      } else {
        response.headers[field.name] = field.value
      }
    }
    return response
  }
}
