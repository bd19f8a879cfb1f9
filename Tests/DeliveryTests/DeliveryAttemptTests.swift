import Cryptography
import Delivery
import Foundation
import HTTPTransport
import Networks
import Testing

/// Answers every request in the same way.
private struct FixedSender: HTTPSending {
  let answer: Result<Int, HTTPTransportError>
  var headers: HTTPHeaderList = []

  func send(_ request: HTTPTransportRequest) async throws(HTTPTransportError) -> HTTPTransportResponse {
    HTTPTransportResponse(status: try answer.get(), headers: headers)
  }
}

@Suite("One attempt at a delivery")
struct DeliveryAttemptTests {
  @Test("the signature covers time, delivery and body, with a code for each secret, the newer one first")
  func signature() throws {
    let moment = Date(timeIntervalSince1970: 1_774_310_400.9)
    let value = DeliverySignature.value(
      of: Array(#"{"a":1}"#.utf8), delivery: "whd_1", secrets: ["lkw_new", "lkw_old"], at: moment)
    func code(_ secret: String) -> String {
      Hex.encode(HMACSHA256(key: secret).code(for: Array(#"1774310400.whd_1.{"a":1}"#.utf8)))
    }
    #expect(value == "t=1774310400,v1=\(code("lkw_new")),v1=\(code("lkw_old"))")
  }

  @Test(
    "2xx alone is an arrival, and what failed is told in words that hold nothing of the answer",
    arguments: [
      (Result<Int, HTTPTransportError>.success(204), DeliveryResult.arrived(status: 204)),
      (.success(302), .failed("HTTP 302: redirects are not followed", status: 302)),
      (.success(410), .failed("HTTP 410", status: 410, isGone: true)),
      (.success(500), .failed("HTTP 500", status: 500)), (.failure(.timeout), .failed("timeout")),
      (.failure(.addressRefused), .failed("address_refused")), (.failure(.cancelled), .cutOff),
      (.failure(.shutDown), .cutOff),
    ])
  func results(_ answer: Result<Int, HTTPTransportError>, _ expected: DeliveryResult) async {
    let request = DeliveryRequest.post([], to: "https://a.example", headers: [], destinations: .publicOnly())
    #expect(await FixedSender(answer: answer).deliver(request) == expected)
  }

  @Test(
    "a receiver that says when to come again is left alone until then, an hour at most, and never less than otherwise")
  func retryAfter() async {
    let request = DeliveryRequest.post([], to: "https://a.example", headers: [], destinations: .publicOnly())
    for status in [429, 503, 500] {
      let sender = FixedSender(answer: .success(status), headers: HTTPHeaderList([("Retry-After", "14")]))
      #expect(
        await sender.deliver(request) == .failed("HTTP \(status)", status: status, retryAfter: .seconds(14)))
    }
    for spread in [0, 0.5, 1] {
      func wait(_ seconds: Int) -> Double? {
        DeliverySchedule.wait(after: 1, age: 0, spread: spread, asked: .seconds(seconds))
      }
      #expect((14...15.5).contains(wait(14) ?? 0))
      #expect((3.9...6.1).contains(wait(0) ?? 0))
      #expect((3_600...3_961).contains(wait(86_400) ?? 0))
      #expect((3_600...3_961).contains(DeliverySchedule.obeyed(.seconds(86_400), spread: spread)))
      #expect(DeliverySchedule.obeyed(.seconds(-1), spread: spread) == 0)
    }
    #expect(DeliverySchedule.wait(after: 1, age: DeliverySchedule.time, spread: 0, asked: .seconds(14)) == nil)
  }

  @Test("a request is a bounded POST of JSON that may go only where it is allowed")
  func request() {
    let request = DeliveryRequest.post([1], to: "https://a.example", headers: [("A", "b")], destinations: .publicOnly())
    #expect(request.method == "POST" && request.body == [1] && request.deadline == .seconds(10))
    #expect(request.headers.map(\.0) == ["Content-Type", "A"] && request.destinations == .publicOnly())
  }

  @Test("an address is https, without anything secret in it, and not this machine's or its network's")
  func addresses() {
    let loopback = ["127.0.0.0/8"].compactMap { NetworkBlock($0) }
    for good in ["https://a.example", "https://a.example:8443/path?x=1", "https://93.184.216.34/"] {
      #expect(DeliveryRequest.problem(withURL: good, destinations: .publicOnly()) == nil, "\(good)")
    }
    for bad in [
      "", "a.example", "http://a.example", "https://u:p@a.example", "https://a.example/#f", "https://a b.example",
      "https://127.0.0.1", "http://localhost:1", "https://[fd00::1]/", "https://10.1.2.3",
      "https://a.example/" + String(repeating: "a", count: DeliveryRequest.longestURL),
    ] {
      #expect(DeliveryRequest.problem(withURL: bad, destinations: .publicOnly()) != nil, "\(bad)")
    }
    #expect(
      DeliveryRequest.problem(withURL: "http://127.0.0.1:1/", destinations: .publicOnly(besides: loopback)) == nil)
  }
}
