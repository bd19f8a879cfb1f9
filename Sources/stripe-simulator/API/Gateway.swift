import Cryptography
import JSON

/// Everything that happens to an API call before and after its route: authentication, version, permission, faults,
/// idempotency, the request log.
enum Gateway {
  static func answer(_ call: Call, _ world: World) -> Answer {
    let requestID = world.newID("req_")
    var trace = Trace()
    var answer: Answer
    do throws(StripeFailure) {
      answer = try serve(call, world, requestID, &trace)
    } catch {
      answer = .json(error.body, status: error.status)
      answer.headers += error.headers
    }
    answer.delay = max(answer.delay, trace.delay)
    answer.headers.append(("Request-Id", requestID))
    if let version = trace.version { answer.headers.append(("Stripe-Version", version)) }
    if let account = trace.shownAccount { answer.headers.append(("Stripe-Account", account)) }
    if let key = call.header("idempotency-key") { answer.headers.append(("Idempotency-Key", key)) }
    world.requests.add(
      RequestLog.Entry(
        id: requestID, at: world.now, method: call.method, path: call.path, account: trace.account,
        environment: trace.environment,
        idempotencyKey: call.header("idempotency-key"), version: trace.version, status: answer.status,
        isReplay: trace.isReplay))
    return answer
  }

  /// What is known about a call so far.
  struct Trace {
    var account: String?
    var shownAccount: String?
    var environment: Environment?
    var version: String?
    var isReplay = false
    var delay: Int64 = 0
  }

  private static func serve(
    _ call: Call, _ world: World, _ requestID: String, _ trace: inout Trace
  ) throws(StripeFailure) -> Answer {
    let caller = try Caller.identify(call, world)
    let tenant = caller.tenant
    trace.account = caller.account
    trace.environment = tenant.environment
    trace.shownAccount = call.header("stripe-account")
    let version = try self.version(call, caller, tenant)
    trace.version = version.text
    let fault = world.faults.apiFault(method: call.method, path: call.path, account: caller.account, &world.chance)
    trace.delay = fault?.delayMilliseconds ?? 0
    if let fault, fault.status > 0, !fault.takesEffect, fault.status < 500 { throw fault.failure }
    guard let (route, ids) = Routes.match(call.method, call.path), route.exists(version) else {
      throw StripeFailure(
        status: 404,
        message:
          "Unrecognized request URL (\(call.method): \(call.path)). Please see https://stripe.com/docs or we can help at https://support.stripe.com/.",
        isStored: false)
    }
    try caller.check(route)
    guard let parameters = parameters(call) else {
      throw .invalid("The parameters could not be decoded.", parameter: nil)
    }
    let input = RouteInput(
      ids: ids, parameters: parameters, version: version, caller: caller, path: call.path)
    guard call.method == "POST", let key = call.header("idempotency-key") else {
      return try run(route, input, tenant, fault, requestID, key: nil)
    }
    return try runOnce(route, input, tenant, fault, requestID, key: key, call, &trace)
  }

  /// Runs a write under its idempotency key, or returns the stored answer (Stripe docs, API: idempotent requests).
  private static func runOnce(
    _ route: Route, _ input: RouteInput, _ tenant: Tenant, _ fault: APIFault?, _ requestID: String, key: String,
    _ call: Call, _ trace: inout Trace
  ) throws(StripeFailure) -> Answer {
    guard key.utf8.count <= 255 else {
      throw .invalid("Idempotency-Key may not be longer than 255 characters.", parameter: nil)
    }
    let fingerprint = SHA256.hexHash("\(call.path)\n\(input.parameters)")
    if let stored = tenant.replies[key], tenant.now - stored.storedAt < CalendarTime.day {
      guard stored.fingerprint == fingerprint else {
        throw StripeFailure(
          status: 400, type: "idempotency_error",
          message:
            "Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key other than '\(key)' if you meant to execute a different request.",
          isStored: false)
      }
      trace.isReplay = true
      return Answer(
        status: stored.status, headers: [("Idempotent-Replayed", "true"), ("Original-Request", stored.requestID)],
        body: stored.body)
    }
    func keep(_ answer: Answer) {
      tenant.replies[key] = StoredReply(
        fingerprint: fingerprint, status: answer.status, body: answer.body, requestID: requestID, storedAt: tenant.now)
    }
    do throws(StripeFailure) {
      let answer = try run(route, input, tenant, fault, requestID, key: key)
      keep(answer)
      return answer
    } catch {
      if error.isStored { keep(.json(error.body, status: error.status)) }
      throw error
    }
  }

  private static func run(
    _ route: Route, _ input: RouteInput, _ tenant: Tenant, _ fault: APIFault?, _ requestID: String, key: String?
  ) throws(StripeFailure) -> Answer {
    if let fault, fault.status >= 500, !fault.takesEffect { throw fault.failure }
    if let allowed = route.parameters {
      for name in input.parameters.keys where name != "expand" && !allowed.contains(name) {
        throw .unknownParameter(name)
      }
    }
    tenant.cause = EventRecord.Cause(requestID: requestID, idempotencyKey: key)
    defer { tenant.cause = nil }
    let result = try tenant.living(by: tenant.clock(in: input.parameters, input.ids)) { () throws(StripeFailure) in
      try route.handler(tenant, input)
    }
    let expanded = try Expansion.apply(input, tenant, to: result)
    if let fault, fault.status > 0, fault.takesEffect { throw fault.failure }
    return .json(expanded)
  }

  private static func version(_ call: Call, _ caller: Caller, _ tenant: Tenant) throws(StripeFailure) -> APIVersion {
    guard let text = call.header("stripe-version") else {
      return caller.isMerchant ? tenant.merchant.apiVersion : .newest
    }
    guard let version = APIVersion(text) else {
      throw .invalid("Invalid Stripe API version: \(text)", parameter: nil)
    }
    return version
  }

  private static func parameters(_ call: Call) -> Fields? {
    guard var result = FormDecoding.decode(call.query) else { return nil }
    if let boundary = MultipartDecoding.boundary(of: call.header("content-type")) {
      guard let form = MultipartDecoding.decode(call.body, boundary: boundary) else { return nil }
      for (key, value) in form { result[key] = value }
    } else if call.method == "POST" || call.method == "DELETE" {
      guard let body = FormDecoding.decode(String(decoding: call.body, as: UTF8.self)) else { return nil }
      for (key, value) in body { result[key] = value }
    }
    return result
  }
}
