import JSON

/// Which part of the simulator answers a path.
struct Dispatcher {
  let simulator: Simulator

  func answer(_ call: Call) async -> Answer {
    let segments = call.segments
    switch segments.first {
    case "v1" where segments == ["v1", "oauth", "token"]:
      return await simulator.with { TokenEndpoint.answer(call, $0) }
    case "oauth" where segments == ["oauth", "token"]:
      // The classic Connect endpoint does not know the codes of apps.
      let failure = OAuthFailure.invalidGrant("Authorization code provided does not belong to you")
      return .json(failure.body, status: 400)
    case "oauth":
      return await simulator.with { AuthorizePage.answer(call, $0) }
    case "v1", "v2":
      return await simulator.with { Gateway.answer(call, $0) }
    case "c", "buy":
      return await simulator.with { CheckoutPage.answer(call, $0) }
    case "style.css":
      return Answer(status: 200, contentType: "text/css; charset=utf-8", body: StyleSheet.text)
    case "_control":
      return await ControlAPI.answer(call, simulator)
    case nil:
      return .json(object(["simulator": "stripe", "control": "/_control", "authorize": "/oauth/v2/authorize"]))
    default:
      let message = "Unrecognized request URL (\(call.method): \(call.path))."
      return .json(StripeFailure(status: 404, message: message).body, status: 404)
    }
  }
}
