import JSON

/// `POST /v1/oauth/token`.
enum TokenEndpoint {
  static func answer(_ call: Call, _ world: World) -> Answer {
    let requestID = world.newID("req_")
    var answer = outcome(call, world)
    answer.headers.append(("Request-Id", requestID))
    world.requests.add(
      RequestLog.Entry(
        id: requestID, at: world.now, method: call.method, path: call.path, account: nil, environment: nil,
        idempotencyKey: nil, version: call.header("stripe-version"), status: answer.status, isReplay: false))
    return answer
  }

  private static func outcome(_ call: Call, _ world: World) -> Answer {
    if let fault = world.faults.apiFault(method: call.method, path: call.path, account: nil, &world.chance),
      fault.status > 0
    {
      return .json(fault.failure.body, status: fault.status)
    }
    guard call.method == "POST" else {
      return .json(
        StripeFailure(status: 404, message: "Unrecognized request URL (\(call.method): \(call.path)).").body,
        status: 404)
    }
    let credential = call.credential
    if let secret = credential?.secret, secret.hasPrefix("at_") || secret.hasPrefix("rt_") || secret.hasPrefix("rk_") {
      let failure = StripeFailure(
        status: 403, message: "This credential may not exchange tokens; use the secret key of the developer's account.")
      return .json(failure.body, status: 403)
    }
    do {
      let parameters = FormDecoding.decode(String(decoding: call.body, as: UTF8.self)) ?? Fields([])
      return .json(try world.exchange(secretKey: credential?.secret, parameters: parameters))
    } catch {
      return .json(error.body, status: error.status)
    }
  }
}
