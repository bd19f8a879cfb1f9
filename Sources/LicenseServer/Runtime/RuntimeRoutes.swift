import HTTPTypes
import Hummingbird
import LicenseKitAPI
import ServerKit

/// The runtime API: what is where. The caller is whoever holds a license key; each answer carries its signature between
/// `data` and `meta`, over exactly the bytes of `data`.
struct RuntimeRoutes: Sendable {
  let services: Services

  var all: [RuntimeRoute] {
    let runtime = services.runtime
    return [
      .init("/api/v1/license/activate") { call in
        let key = try call.idempotencyKey()
        return try await runtime.activate(call.license, call.body(), idempotencyKey: key, for: call.caller)
      },
      .init("/api/v1/license/validate") { call in
        try await runtime.validate(call.license, call.body(), for: call.caller)
      },
      .init("/api/v1/license/check") { call in
        try await runtime.check(call.license, call.body(), for: call.caller)
      },
      .init("/api/v1/license/consume") { call in
        let key = try call.idempotencyKey()
        return try await runtime.consume(call.license, call.body(), idempotencyKey: key, for: call.caller)
      },
      .init("/api/v1/license/deactivate") { call in
        let key = try call.idempotencyKey()
        return try await runtime.deactivate(call.license, call.body(), idempotencyKey: key, for: call.caller)
      },
    ]
  }

  func add(to router: AppRouter) {
    for route in all {
      let endpoint = RuntimeEndpoint(path: route.path.description)
      router.on(route.path, method: .post) { [services] request, context in
        let (caller, license) = try await services.authenticator.license(
          key: request.credential("License"), host: request.hostName, address: context.remoteIPAddress)
        let call = RuntimeCall(caller: caller, license: license, request: request)
        let answer = try await services.recording(endpoint, call, context) { try await route.handle(call) }
        return Answer.raw(data: answer.data, members: [("signature", answer.signatureBytes)], context: context)
      }
    }
  }
}

/// One runtime operation on the wire; all are POST.
struct RuntimeRoute: Sendable {
  var path: RouterPath
  var handle: @Sendable (RuntimeCall) async throws -> SignedAnswer

  init(_ path: RouterPath, _ handle: @escaping @Sendable (RuntimeCall) async throws -> SignedAnswer) {
    self.path = path
    self.handle = handle
  }
}

/// A request of an application whose license key is known.
struct RuntimeCall: Sendable {
  var caller: Caller
  var license: LicenseID
  var request: Request
  /// What the body said, for the record.
  let noted = RequestNote()

  /// The body, with nothing in it that the contract does not know.
  // Swift 6.3.1 cannot optimize a route that this was inlined into: its compiler ends with a crash.
  @inline(never)
  func body<T: Decodable & Sendable>(_ type: T.Type = T.self) async throws -> T {
    let body = try await request.decodeBody(type, limit: 64 << 10)
    noted.note(body)
    return body
  }

  /// The idempotency key.
  /// - Throws: 400 when there is none.
  func idempotencyKey() throws(APIFailure) -> String { try IdempotentCall.checked(key: request.idempotencyKey) }
}
