import HTTPTransport
import Identity
import LicenseKitAPI
import LicenseKitHTTP
import Testing

@Suite("The client over HTTP")
struct HTTPClientTests {
  /// Answers every request with one answer and shows what was asked.
  struct Scripted: HTTPSending {
    var answer: @Sendable (HTTPTransportRequest) throws(HTTPTransportError) -> HTTPTransportResponse

    func send(_ request: HTTPTransportRequest) async throws(HTTPTransportError) -> HTTPTransportResponse {
      try answer(request)
    }
  }

  static func client(
    _ answer: @escaping @Sendable (HTTPTransportRequest) throws(HTTPTransportError) -> HTTPTransportResponse
  ) -> LicenseKitHTTPClient {
    LicenseKitHTTPClient(
      baseURL: "https://h.example/prefix// ", token: "lkm_secret", transport: Scripted(answer: answer))
  }

  @Test("an id never changes the path, and the prefix of the base address is kept")
  func paths() async {
    let client = Self.client { request throws(HTTPTransportError) in
      #expect(request.url == "https://h.example/prefix/api/v1/licenses/a%2F..%2Fb%20%3F/suspend")
      #expect(request.body?.isEmpty == true)
      throw .timeout
    }
    let error = await failure { _ = try await client.suspendLicense("a/../b ?") }
    #expect(error?.status == nil)
    #expect(error?.retry == .later)
    #expect(error?.mayHaveTakenEffect == true)
  }

  @Test(
    "what to do about a failure follows its status",
    arguments: [
      (400, "INVALID_JSON", .no), (401, "UNAUTHORIZED", .credential), (403, "TOKEN_SCOPE_DENIED", .credential),
      (404, "NOT_FOUND", .gone), (409, "CONFLICT", .conflict), (409, "IDEMPOTENCY_CONFLICT", .no),
      (422, "VALIDATION_ERROR", .configuration), (429, "RATE_LIMITED", .later), (500, "INTERNAL_ERROR", .later),
      (503, "X", .later), (302, "X", .configuration),
    ] as [(Int, String, LicenseKitError.RetryClass)])
  func classes(_ status: Int, _ code: String, _ retry: LicenseKitError.RetryClass) async {
    let client = Self.client { _ throws(HTTPTransportError) in
      HTTPTransportResponse(
        status: status, headers: [("Retry-After", "7")],
        body: Array(
          #"{"error":{"code":"\#(code)","message":"m","detail":"d"},"meta":{"request_id":"req_1","timestamp":"t"}}"#
            .utf8),
        httpVersion: .http11)
    }
    let error = await failure { _ = try await client.getProduct("prod_1") }
    #expect(error?.retry == retry)
    #expect(error?.code == code)
    #expect(error?.detail == "d")
    #expect(error?.requestID == "req_1")
    #expect(error?.retryAfter == .seconds(7))
    #expect(error.map { "\($0)".contains("lkm_secret") } == false)
  }

  @Test(
    "an answer outside the contract is an unknown error and not a success",
    arguments: [(200, "<html>"), (200, #"{"data":{"id":1}}"#), (201, #"{"data":{}}"#), (502, "bad gateway")])
  func unreadable(_ status: Int, _ body: String) async {
    let client = Self.client { _ throws(HTTPTransportError) in
      HTTPTransportResponse(status: status, headers: [], body: Array(body.utf8), httpVersion: .http11)
    }
    let error = await failure { _ = try await client.getProduct("prod_1") }
    #expect(error?.code == "UNKNOWN_ERROR")
    #expect(error?.status == status)
    #expect(error?.retry == .later)
  }

  @Test("the token shows in no description of the client")
  func secrecy() {
    let client = Self.client { _ throws(HTTPTransportError) in throw .timeout }
    for text in ["\(client)", String(reflecting: client)] { #expect(!text.contains("lkm_secret")) }
    var dumped = ""
    dump(client, to: &dumped)
    #expect(!dumped.contains("lkm_secret"))
  }
}
