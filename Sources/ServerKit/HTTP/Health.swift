public import Hummingbird
import JSON

/// One thing a server needs before it can work.
public struct ReadinessCheck: Sendable {
  /// The name in the answer.
  public let name: String
  /// Nil when all is well, else a word or two for the operator; never an address or a secret.
  public let problem: @Sendable () async -> String?

  /// A check by its name; see ``problem``.
  public init(_ name: String, problem: @escaping @Sendable () async -> String?) {
    self.name = name
    self.problem = problem
  }
}

extension RouterMethods where Context == AppContext {
  /// `GET /healthz` answers 200 while the process lives; `GET /readyz` 200 when every check passes, else 503, with
  /// `{"status": "ready"|"not_ready", "<check>": "ok"|"…"}` in both cases.
  @discardableResult
  public func addHealthRoutes(_ checks: [ReadinessCheck] = []) -> Self {
    get("healthz") { _, context in
      try Answer.data(JSONValue.object(JSONObject([("status", .string("ok"))])), context: context)
    }
    get("readyz") { _, context in
      var results: [(String, JSONValue)] = []
      var isReady = true
      for check in checks {
        let problem = await check.problem()
        if problem != nil { isReady = false }
        results.append((check.name, .string(problem ?? "ok")))
      }
      let status = ("status", JSONValue.string(isReady ? "ready" : "not_ready"))
      return try Answer.data(
        JSONValue.object(JSONObject([status] + results)), status: isReady ? .ok : .serviceUnavailable, context: context)
    }
    return self
  }

  /// `GET /metrics` in the Prometheus text format.
  @discardableResult
  public func addMetricsRoute(_ registry: MetricsRegistry, path: RouterPath = "metrics") -> Self {
    get(path) { _, _ in
      Answer.text(registry.exposition(), contentType: MetricsRegistry.contentType)
    }
    return self
  }
}
