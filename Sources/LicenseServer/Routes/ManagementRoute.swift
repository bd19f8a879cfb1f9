import HTTPTypes
import Hummingbird
import Identity
import LicenseKitAPI
import ServerKit

/// One management operation on the wire.
struct ManagementRoute: Sendable {
  var operation: ManagementOperation
  var method: HTTPRequest.Method
  var path: RouterPath
  var handle: @Sendable (ManagementCall) async throws -> Response

  init(
    _ operation: ManagementOperation, _ method: HTTPRequest.Method, _ path: RouterPath,
    _ handle: @escaping @Sendable (ManagementCall) async throws -> Response
  ) {
    self.operation = operation
    self.method = method
    self.path = path
    self.handle = handle
  }
}

/// A request whose caller is known and may do what it asks.
struct ManagementCall: Sendable {
  var caller: Caller
  var request: Request
  var context: AppContext

  /// The id in the path.
  func id<Subject>(_ name: String = "id") throws -> ID<Subject> { ID(try context.pathParameter(name)) }

  /// The query's `limit`; the service clamps it.
  func limit() throws -> Int? { try request.query.int("limit", in: 1...Int.max) }

  /// The body, with nothing in it that the contract does not know.
  // Swift 6.3.1 cannot optimize a route that this was inlined into: its compiler ends with a crash.
  @inline(never)
  func body<T: Decodable>(_ type: T.Type = T.self) async throws -> T { try await request.decodeBody(type) }

  /// The idempotency key.
  /// - Throws: 400 when there is none.
  func idempotencyKey() throws(APIFailure) -> String { try IdempotentCall.checked(key: request.idempotencyKey) }

  func ok(_ value: some Encodable) throws -> Response { try Answer.data(value, context: context) }
  func created(_ value: some Encodable) throws -> Response {
    try Answer.data(value, status: .created, context: context)
  }
  func stored(_ answer: StoredAnswer, status: HTTPResponse.Status = .ok) -> Response {
    Answer.raw(data: answer.bytes, status: status, context: context)
  }
}

extension Request {
  /// The header `Idempotency-Key`.
  var idempotencyKey: String? { HTTPField.Name("Idempotency-Key").flatMap { headers[$0] } }

  /// What follows the scheme in the header `Authorization`; nil for another scheme.
  func credential(_ scheme: String) -> String? {
    headers[.authorization].flatMap { Credential.pasted($0, after: scheme) }
  }

  /// The host name asked for, as host names are compared.
  var hostName: String? { head.authority.flatMap(HostName.normalized) }
}
