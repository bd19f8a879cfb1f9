import HTTPTransport
import JSON
import LicenseKitAPI

/// One call of an operation: what is sent, and what counts as success.
struct Call: Sendable {
  var method: String
  /// Path segments after `/api/v1`, each encoded separately.
  var path: [String]
  var query: [(name: String, value: String)] = []
  var idempotencyKey: String?
  /// The one success status that the contract declares.
  var success: Int
  /// The largest answer that is accepted: one record, or one page of them.
  var mostBytes = 256 * 1_024

  private static let mostBytesOfPage = 4 * 1_048_576

  static func get(_ path: String...) -> Call {
    Call(method: "GET", path: path, success: 200)
  }

  static func list(_ path: String..., query: [(name: String, value: String)] = []) -> Call {
    Call(method: "GET", path: path, query: query, success: 200, mostBytes: mostBytesOfPage)
  }

  static func list(_ path: String..., limit: Int?) -> Call {
    Call(
      method: "GET", path: path, query: limit.map { [("limit", String($0))] } ?? [], success: 200,
      mostBytes: mostBytesOfPage)
  }

  static func create(_ path: String..., idempotencyKey: String? = nil) -> Call {
    Call(method: "POST", path: path, idempotencyKey: idempotencyKey, success: 201)
  }

  static func act(_ path: String..., idempotencyKey: String? = nil) -> Call {
    Call(method: "POST", path: path, idempotencyKey: idempotencyKey, success: 200)
  }

  static func patch(_ path: String...) -> Call {
    Call(method: "PATCH", path: path, success: 200)
  }

  static func delete(_ path: String...) -> Call {
    Call(method: "DELETE", path: path, success: 204)
  }

  /// Path and query, encoded.
  var target: String {
    var text = "/api/v1"
    for segment in path { text += "/" + PercentEncoding.encode(segment) }
    for (index, item) in query.enumerated() {
      text += (index == 0 ? "?" : "&") + item.name + "=" + PercentEncoding.encode(item.value)
    }
    return text
  }
}

extension LicenseKitHTTPClient {
  /// Calls without a body and reads `data`.
  func send<Answer: Decodable>(_ call: Call) async throws(LicenseKitError) -> Answer {
    try decode(Answer.self, from: try await exchange(call, body: nil), field: "data")
  }

  /// Calls with a body and reads `data`.
  func send<Answer: Decodable>(_ call: Call, _ body: some Encodable) async throws(LicenseKitError) -> Answer {
    try decode(Answer.self, from: try await exchange(call, body: encode(body)), field: "data")
  }

  /// Calls without a body and expects none.
  func sendEmpty(_ call: Call) async throws(LicenseKitError) {
    _ = try await exchange(call, body: nil)
  }

  func encode(_ body: some Encodable) throws(LicenseKitError) -> [UInt8] {
    do { return try JSONCoding.encodedBytes(body) } catch {
      throw LicenseKitError(
        transport: "unencodable", message: "the request could not be written as JSON", mayHaveTakenEffect: false,
        retry: .no)
    }
  }

  func exchange(_ call: Call, body: [UInt8]?) async throws(LicenseKitError) -> HTTPTransportResponse {
    var headers = [("Authorization", "Bearer \(token)"), ("Accept", "application/json")]
    if body != nil { headers.append(("Content-Type", "application/json")) }
    if let key = call.idempotencyKey { headers.append(("Idempotency-Key", key)) }
    let request = HTTPTransportRequest(
      method: call.method, url: baseURL + call.target, headers: headers,
      body: body ?? (call.method == "POST" ? [] : nil),
      deadline: deadline)
    let response: HTTPTransportResponse
    do { response = try await transport.send(request) } catch {
      throw LicenseKitError(
        transport: error.code, message: "no answer from the server: \(error.code)",
        mayHaveTakenEffect: error.requestMayHaveBeenSent, retry: error.isInvalidRequest ? .configuration : .later)
    }
    guard response.status == call.success else { throw LicenseKitError(answer: response) }
    LicenseKitTrace.current?.note(response.headers["X-Request-Id"])
    guard response.body.count <= call.mostBytes else {
      throw .unreadable(response, "more than \(call.mostBytes) bytes")
    }
    return response
  }

  func decode<Answer: Decodable>(
    _: Answer.Type, from response: HTTPTransportResponse, field: String
  ) throws(LicenseKitError) -> Answer {
    let document: JSONValue
    do { document = try JSONValue(ofOutside: response.body) } catch { throw .unreadable(response, "not JSON") }
    guard let found = document[field] else { throw .unreadable(response, "no \(field)") }
    do { try AnswerTexts.check(found) } catch {
      throw .unreadable(response, "\(error)", requestID: document["meta"]?["request_id"]?.string)
    }
    do { return try JSONCoding.decode(Answer.self, from: found) } catch {
      throw .unreadable(response, "\(error)", requestID: document["meta"]?["request_id"]?.string)
    }
  }
}

extension HTTPTransportError {
  /// Whether the request or its address was invalid, so that it was never sent and never can be.
  fileprivate var isInvalidRequest: Bool {
    switch self {
    case .invalidRequest, .addressRefused: true
    default: false
    }
  }
}

extension LicenseKitError {
  /// A failure in the contract's form. Anything else keeps its status and gets the code `UNKNOWN_ERROR`, as in the official
  /// clients.
  init(answer response: HTTPTransportResponse) {
    let document = try? JSONValue(ofOutside: response.body)
    let error = document?["error"]
    let requestID = document?["meta"]?["request_id"]?.string
    let wait = RetryAfter.duration(response.headers)
    if let code = error?["code"]?.string, let message = error?["message"]?.string {
      self.init(
        status: response.status, code: code, message: message, detail: error?["detail"]?.string, requestID: requestID,
        retryAfter: wait)
    } else {
      self.init(
        status: response.status, code: "UNKNOWN_ERROR", message: "an answer outside the contract", requestID: requestID,
        retryAfter: wait)
    }
  }

  static func unreadable(_ response: HTTPTransportResponse, _ why: String, requestID: String? = nil) -> LicenseKitError
  {
    LicenseKitError(
      status: response.status, code: "UNKNOWN_ERROR", message: "the answer could not be read", detail: why,
      requestID: requestID)
  }
}
