import HTTPTransport
import Identity
import JSON
import LicenseKitAPI
import LicenseKitHTTP
import Testing

@Suite("What is kept of a server's answers is bounded where they are read")
struct HTTPClientBoundsTests {
  private static let hostile = [
    String(repeating: "x", count: 1 << 20), "e" + String(repeating: "\u{301}", count: 1 << 18),
    "a\u{0}b\u{1B}[31m\r\nc\u{85}\u{9B}d\u{2028}\u{202E}e\u{FEFF}\u{7F}",
  ]

  /// What steers a terminal, a page or the order of reading.
  private static let steering: Set<Unicode.GeneralCategory> = [.control, .format, .lineSeparator, .paragraphSeparator]

  private static func client(
    _ status: Int, _ answer: JSONValue, headers: HTTPHeaderList = []
  ) -> LicenseKitHTTPClient {
    HTTPClientTests.client { _ throws(HTTPTransportError) in
      HTTPTransportResponse(status: status, headers: headers, body: answer.encoded(), httpVersion: .http11)
    }
  }

  private static func expectBounded(_ text: String?, _ longest: Int) {
    guard let text else { return }
    #expect(text.utf8.count <= longest)
    #expect(
      !text.unicodeScalars.contains {
        Self.steering.contains($0.properties.generalCategory)
      })
  }

  private static func expectBounded(_ error: LicenseKitError?) {
    expectBounded(error?.code, 400)
    expectBounded(error?.message, 1_300)
    expectBounded(error?.detail, 1_300)
    expectBounded(error?.requestID, 400)
    expectBounded(error?.description, 4_000)
    #expect(error != nil)
  }

  @Test("an error's code, message, detail and request id are short and on one line", arguments: 0..<3)
  func errors(_ number: Int) async {
    let text = JSONValue.string(Self.hostile[number])
    for status in [400, 401, 404, 409, 422, 429, 500] {
      let answer: JSONValue = [
        "error": ["code": text, "message": text, "detail": text], "meta": ["request_id": text],
      ]
      let client = Self.client(status, answer)
      Self.expectBounded(await failure { _ = try await client.getProduct("prod_1") })
    }
    Self.expectBounded(
      LicenseKitError(
        status: 422, code: Self.hostile[number], message: Self.hostile[number], detail: Self.hostile[number],
        requestID: Self.hostile[number]))
    Self.expectBounded(
      LicenseKitError(transport: Self.hostile[number], message: Self.hostile[number], mayHaveTakenEffect: false))
  }

  @Test("why an answer could not be read repeats little of it", arguments: 0..<3)
  func unreadable(_ number: Int) async {
    let text = JSONValue.string(Self.hostile[number])
    let answers: [JSONValue] = [
      text, ["id": text], ["id": "lic_1", "status": text], ["created_at": text, "expires_at": text],
    ]
    for data in answers {
      let client = Self.client(200, ["data": data, "meta": ["request_id": text]])
      Self.expectBounded(await failure { _ = try await client.getLicense("lic_1") })
    }
  }

  @Test("a NUL, which no database takes, is left out of what is read")
  func withoutNUL() async throws {
    let client = Self.client(
      200,
      [
        "data": [
          "id": "prod_1", "name": "Ed\u{0}itor", "code": "editor", "created_at": "2026-03-24T00:00:00Z",
          "updated_at": "2026-03-24T00:00:00Z", "metadata": ["a\u{0}": ["b\u{0}c"]],
        ]
      ])
    let product = try await client.getProduct("prod_1")
    #expect(product.name == "Editor")
    #expect(!"\(product)".unicodeScalars.contains("\u{0}"))
  }

  @Test("ids and texts longer than any that is honest are not taken")
  func longTexts() async {
    for (name, length) in [("id", 256), ("code", 20_000), ("name", 20_000)] {
      var product: JSONObject = [
        "id": "prod_1", "name": "Editor", "code": "editor", "created_at": "2026-03-24T00:00:00Z",
        "updated_at": "2026-03-24T00:00:00Z",
      ]
      product[name] = .string(String(repeating: "x", count: length))
      let client = Self.client(200, ["data": .object(product)])
      let error = await failure { _ = try await client.getProduct("prod_1") }
      #expect(error?.code == "UNKNOWN_ERROR", "\(name)")
      Self.expectBounded(error)
    }
  }

  @Test("no more of an answer is taken than its kind needs")
  func bodies() async {
    let product: JSONValue = [
      "id": "prod_1", "name": "Editor", "code": "editor", "created_at": "2026-03-24T00:00:00Z",
      "updated_at": "2026-03-24T00:00:00Z", "metadata": ["a": .string(String(repeating: "x", count: 300_000))],
    ]
    let record = Self.client(200, ["data": product])
    let one = await failure { _ = try await record.getProduct("prod_1") }
    #expect(one?.code == "UNKNOWN_ERROR" && one?.detail?.contains("262144 bytes") == true)
    let page = Self.client(200, ["data": [product]])
    let many = await failure { _ = try await page.listProducts(limit: 200) }
    #expect(many == nil)
  }

  @Test("the ids of calls that are noted are short words")
  func traces() async {
    let product: JSONValue = [
      "id": "prod_1", "name": "Editor", "code": "editor", "created_at": "2026-03-24T00:00:00Z",
      "updated_at": "2026-03-24T00:00:00Z",
    ]
    for text in Self.hostile {
      let client = Self.client(200, ["data": product], headers: HTTPHeaderList([("X-Request-Id", text)]))
      let trace = LicenseKitTrace()
      _ = await LicenseKitTrace.$current.withValue(trace) {
        await failure { _ = try await client.getProduct("prod_1") }
      }
      for id in trace.requestIDs { Self.expectBounded(id, 400) }
    }
  }
}
