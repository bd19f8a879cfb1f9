import HTTPTypes
import Hummingbird

/// A limit for each address of a client on routes that anybody can call.
public struct AddressLimit: Sendable, Hashable {
  /// What counts against an address's allowance.
  public enum Counted: Sendable, Hashable {
    /// Every request.
    case requests
    /// Requests whose credential of this scheme (for example `Bearer`) was refused with 401: guesses. A request with a valid
    /// credential is never refused because of others at its address.
    case refusedCredentials(scheme: String)
  }

  let limit: RateLimit
  let counted: Counted
  let paths: [[Substring]]

  /// - Parameter paths: the limit applies at these paths and below.
  public init(_ limit: RateLimit, on counted: Counted, under paths: [String]) {
    self.limit = limit
    self.counted = counted
    self.paths = paths.map { $0.split(separator: "/") }
  }

  /// Whether a request may count; for some, only the answer decides.
  func concerns(_ request: Request) -> Bool {
    if case .refusedCredentials(let scheme) = counted {
      guard let credential = request.headers[.authorization]?.prefix(scheme.count + 1),
        credential.lowercased() == scheme.lowercased() + " "
      else { return false }
    }
    let parts = request.uri.path.split(separator: "/")
    return paths.contains { parts.starts(with: $0) }
  }
}

/// Refuses requests beyond an ``AddressLimit`` with 429.
struct AddressLimitMiddleware: RouterMiddleware {
  typealias Context = AppContext

  let rule: AddressLimit
  let limiter: RateLimiter

  func handle(
    _ request: Request, context: AppContext, next: (Request, AppContext) async throws -> Response
  ) async throws -> Response {
    guard rule.concerns(request) else { return try await next(request, context) }
    if rule.counted == .requests {
      if let refusal = await refusal(context) { return refusal }
      return try await next(request, context)
    }
    let response = try await next(request, context)
    guard response.status == .unauthorized, let refusal = await refusal(context) else { return response }
    return refusal
  }

  private func refusal(_ context: AppContext) async -> Response? {
    do {
      try await limiter.take(rule.limit, of: context.clientAddress)
      return nil
    } catch {
      return Answer.failure(error, context: context)
    }
  }
}
