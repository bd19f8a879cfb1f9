import HTTPTypes
import Hummingbird
import JSON
import LicenseKitAPI
import ServerKit

/// The runtime API: the list of its routes. The caller is anybody who has a license key. Each answer has its signature
/// between `data` and `meta`, over exactly the bytes of `data`.
struct RuntimeRoutes: Sendable {
  let services: Services

  var all: [RuntimeRoute] {
    let (runtime, floating, offline) = (services.runtime, services.floating, services.offline)
    return [
      .init("/api/v1/license/activate") { call in
        let key = try call.idempotencyKey()
        return try await runtime.activate(call.license, call.body(), idempotencyKey: key, for: call.caller)
      },
      .init("/api/v1/license/consume") { call in
        let key = try call.idempotencyKey()
        return try await runtime.consume(call.license, call.body(), idempotencyKey: key, for: call.caller)
      },
      .init("/api/v1/license/deactivate") { call in
        let key = try call.idempotencyKey()
        return try await runtime.deactivate(call.license, call.body(), idempotencyKey: key, for: call.caller)
      },
      .init("/api/v1/license/floating/checkout") { call in
        let key = try call.idempotencyKey()
        return try await floating.checkout(call.license, call.body(), idempotencyKey: key, for: call.caller)
      },
      .init("/api/v1/license/floating/checkin") { call in
        let key = try call.idempotencyKey()
        return try await floating.checkin(call.license, call.body(), idempotencyKey: key, for: call.caller)
      },
      .init("/api/v1/license/floating/heartbeat") { call in
        try await floating.heartbeat(call.license, call.body(), for: call.caller)
      },
      .init(unsigned: "/api/v1/license/offline") { call in
        let envelope = try await offline.issue(
          call.license, call.body(), licenseKey: call.licenseKey(), for: call.caller)
        return try JSONCoding.encodedBytes(envelope)
      },
    ]
  }

  /// Operations that change nothing about a license. The caller is identified together with the answer, many at a time.
  var validations: [(path: RouterPath, kind: ValidationQuestion.Kind)] {
    [("/api/v1/license/validate", .validate), ("/api/v1/license/check", .check)]
  }

  /// Applications that are web pages inside call these routes too. The license key in each request is the only credential, so
  /// a page without a key learns nothing.
  static let cors = CORSPolicy(
    .all, allowedMethods: [.post], allowedHeaders: ["Authorization", "Content-Type", "Idempotency-Key"])

  func add(to router: AppRouter) {
    router.cors(Self.cors, under: "/api/v1/license")
    for route in validations {
      router.on(route.path, method: .post) { [services] request, context in
        let answer = try await services.answer(route.kind, request, context)
        return Answer.raw(data: answer.data, members: [("signature", answer.signatureBytes)], context: context)
      }
    }
    for route in all {
      let endpoint = RuntimeEndpoint(path: route.path.description)
      router.on(route.path, method: .post) { [services] request, context in
        let (caller, license) = try await services.authenticator.license(
          key: request.credential("License"), host: request.hostName, address: context.clientAddressText)
        let call = RuntimeCall(caller: caller, license: license, request: request)
        let answer = try await services.recording(endpoint, call, context) { try await route.handle(call) }
        return Answer.raw(data: answer.data, members: answer.members, context: context)
      }
    }
  }
}

/// One runtime operation on the wire; all are POST.
struct RuntimeRoute: Sendable {
  var path: RouterPath
  var handle: @Sendable (RuntimeCall) async throws -> RuntimeAnswer

  init(_ path: RouterPath, _ handle: @escaping @Sendable (RuntimeCall) async throws -> SignedAnswer) {
    self.path = path
    self.handle = { call in
      let answer = try await handle(call)
      return RuntimeAnswer(data: answer.data, members: [("signature", answer.signatureBytes)])
    }
  }

  /// One whose answer carries no signature of its own.
  init(unsigned path: RouterPath, _ handle: @escaping @Sendable (RuntimeCall) async throws -> [UInt8]) {
    self.path = path
    self.handle = { RuntimeAnswer(data: try await handle($0)) }
  }
}

/// What is sent: the bytes of `data`, and what stands between it and `meta`.
struct RuntimeAnswer: Sendable {
  var data: [UInt8]
  var members: [(name: String, value: [UInt8])] = []
}

/// A request of an application whose license key is known.
struct RuntimeCall: Sendable {
  var caller: Caller
  var license: LicenseID
  var request: Request
  /// What the body said, for the record.
  let noted = RequestNote()

  /// The most bytes that a runtime request may bring.
  static let largestBody = 64 << 10

  /// The body, with nothing in it that the contract does not know.
  // Swift 6.3.1 cannot optimize a route that this was inlined into: its compiler ends with a crash.
  @inline(never)
  func body<T: Decodable & Sendable>(_ type: T.Type = T.self) async throws -> T {
    let body = try await request.decodeBody(type, limit: Self.largestBody)
    noted.note(body)
    return body
  }

  /// The raw license key: the credential of this request, which was found to be valid.
  func licenseKey() throws(APIFailure) -> LicenseKey {
    guard let key = request.credential("License") else { throw .licenseKeyRequired }
    return LicenseKey(key)
  }

  /// The idempotency key.
  /// - Throws: 400 when there is none.
  func idempotencyKey() throws(APIFailure) -> String { try IdempotentCall.checked(key: request.idempotencyKey) }
}
