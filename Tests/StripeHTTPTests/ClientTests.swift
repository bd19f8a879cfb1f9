import Foundation
import HTTPTransport
import Identity
import JSON
import StripeAPI
@testable import StripeHTTP
import Synchronization
import Testing

@Suite("The API client, against a server")
struct ClientTests {
  typealias Reply = FakeStripe.Reply

  @Test("A call names the version, the app and the merchant's token, and gives the object and Stripe's own time")
  func plainCall() async throws {
    let reply = Reply(headers: ["Request-Id": "req_1"], body: #"{"id":"sub_1"}"#)
    try await FakeStripe.serve(reply) { stripe in
      let answer = try await stripe.session().subscription("sub_1")
      #expect(answer.value["id"] == "sub_1")
      // The server's `Date`, to the second; the client's own clock stands in 1970 here.
      #expect(abs(answer.fetchedAt.timeIntervalSinceNow) < 60)
      #expect(answer.fetchedAt.timeIntervalSince1970.truncatingRemainder(dividingBy: 1) == 0)
      #expect(answer.readNotBefore < answer.fetchedAt)
      #expect(answer.requestID == "req_1")
      let asked = try #require(stripe.asked.first)
      #expect(asked.method == "GET")
      #expect(asked.target == "/v1/subscriptions/sub_1")
      #expect(asked.headers["authorization"] == "Bearer token_1")
      #expect(asked.headers["stripe-version"] == "2025-03-31.basil")
      #expect(asked.headers["user-agent"] == "example/1 (https://example.com)")
      #expect(asked.headers["stripe-account"] == nil)
      #expect(asked.headers["idempotency-key"] == nil)
    }
  }

  @Test("A platform key acts on the merchant's account by header")
  func platform() async throws {
    try await FakeStripe.serve(Reply()) { stripe in
      _ = try await stripe.client().session(.platform(key: "key_1", account: "acct_1")).customer("cus_1")
      #expect(stripe.asked.first?.headers["authorization"] == "Bearer key_1")
      #expect(stripe.asked.first?.headers["stripe-account"] == "acct_1")
    }
  }

  @Test("An id cannot change the path of a call")
  func hostileID() async throws {
    try await FakeStripe.serve(Reply()) { stripe in
      _ = try await stripe.session().customer("../charges?x=1")
      #expect(stripe.asked.first?.target == "/v1/customers/..%2Fcharges%3Fx%3D1")
    }
  }

  @Test("Passing trouble is waited out, with growing pauses")
  func retries() async throws {
    try await FakeStripe.serve(Reply(status: 500, body: ""), Reply(status: 409), Reply(body: #"{"id":"in_1"}"#)) {
      stripe in
      let answer = try await stripe.session().invoice("in_1")
      #expect(answer.value["id"] == "in_1")
      #expect(stripe.asked.count == 3)
      #expect(stripe.pauses == [.milliseconds(500), .seconds(1)])
    }
  }

  @Test("After two repetitions the error is the caller's, and says how often it was tried")
  func givesUp() async throws {
    try await FakeStripe.serve(Reply(status: 503, body: "<html>down</html>")) { stripe in
      let error = await failure { () throws(StripeError) in try await stripe.session().invoice("in_1") }
      #expect(error?.retry == .retry(after: nil))
      #expect(error?.attempts == 3)
      #expect(error?.mayHaveHappened == false)
      #expect(stripe.asked.count == 3)
    }
  }

  @Test("A refusal is not repeated", arguments: [400, 401, 402, 403, 404, 429])
  func refusal(_ status: Int) async throws {
    try await FakeStripe.serve(Reply(status: status, body: "")) { stripe in
      let error = await failure { () throws(StripeError) in try await stripe.session().charge("ch_1") }
      #expect(error?.status == status)
      #expect(stripe.asked.count == 1)
    }
  }

  @Test("A missing object is told as such, with Stripe's words")
  func missing() async throws {
    let body =
      #"{"error":{"type":"invalid_request_error","code":"resource_missing","message":"No such charge: 'ch_1'","param":"id"}}"#
    try await FakeStripe.serve(Reply(status: 404, headers: ["Request-Id": "req_2"], body: body)) { stripe in
      let error = await failure { () throws(StripeError) in try await stripe.session().charge("ch_1") }
      #expect(error?.retry == .notFound)
      #expect(error?.code == "resource_missing")
      #expect(error?.param == "id")
      #expect(error?.message == "No such charge: 'ch_1'")
      #expect(error?.requestID == "req_2")
    }
  }

  @Test("Stripe's word on repeating is obeyed in both directions")
  func shouldRetry() async throws {
    try await FakeStripe.serve(Reply(status: 500, headers: ["Stripe-Should-Retry": "false"])) { stripe in
      _ = await failure { () throws(StripeError) in try await stripe.session().charge("ch_1") }
      #expect(stripe.asked.count == 1)
    }
    try await FakeStripe.serve(
      Reply(status: 429, headers: ["Stripe-Should-Retry": "true", "Retry-After": "3"]), Reply()
    ) { stripe in
      _ = try await stripe.session().charge("ch_1")
      #expect(stripe.pauses == [.seconds(3)])
    }
  }

  @Test("Over the rate the caller learns which limit it was and how long to wait")
  func rateLimit() async throws {
    let reply = Reply(
      status: 429, headers: ["Stripe-Rate-Limited-Reason": "global-rate", "Retry-After": "4"],
      body: #"{"error":{"code":"rate_limit"}}"#)
    try await FakeStripe.serve(reply) { stripe in
      let error = await failure { () throws(StripeError) in try await stripe.session().charge("ch_1") }
      #expect(error?.retry == .rateLimited(reason: "global-rate", after: .seconds(4)))
    }
  }

  @Test("A success that is not JSON is no success")
  func notJSON() async throws {
    try await FakeStripe.serve(Reply(body: "<html>"), Reply(body: #"{"id":"ch_1"}"#)) { stripe in
      let answer = try await stripe.session().charge("ch_1")
      #expect(answer.value["id"] == "ch_1")
      #expect(stripe.asked.count == 2)
    }
  }

  @Test("Nobody listening is a passing trouble in which nothing happened")
  func nobodyThere() async throws {
    try await FakeStripe.serve(Reply()) { stripe in
      let client = StripeClient(
        apiBaseURL: "http://127.0.0.1:1", transport: stripe.transport, userAgent: "x", policy: .init(maximumRetries: 0))
      let error = await failure { () throws(StripeError) in
        try await client.session(.accessToken("t")).post(["customers", "cus_1"], [:], idempotencyKey: "k")
      }
      #expect(error?.retry == .retry(after: nil))
      #expect(error?.mayHaveHappened == false)
      #expect(error?.status == nil)
    }
  }

  @Test("A write keeps its idempotency key and its bytes over all attempts")
  func idempotency() async throws {
    try await FakeStripe.serve(Reply(status: 500), Reply(status: 409), Reply(body: #"{"id":"cus_1"}"#)) { stripe in
      _ = try await stripe.session().updateMetadata(
        of: .customer("cus_1"), ["licensekit_order_id": "ord_1", "licensekit_customer_id": "a+b@example.com"],
        idempotencyKey: "key-1")
      #expect(stripe.asked.map { $0.headers["idempotency-key"] } == ["key-1", "key-1", "key-1"])
      #expect(Set(stripe.asked.map(\.body)).count == 1)
      let asked = try #require(stripe.asked.first)
      #expect(asked.method == "POST")
      #expect(asked.target == "/v1/customers/cus_1")
      #expect(asked.headers["content-type"] == "application/x-www-form-urlencoded")
      #expect(
        asked.body
          == "metadata%5Blicensekit_customer_id%5D=a%2Bb%40example.com&metadata%5Blicensekit_order_id%5D=ord_1")
    }
  }

  @Test("A write that failed at Stripe may have happened, even if a later attempt was refused")
  func mayHaveHappened() async throws {
    try await FakeStripe.serve(Reply(status: 500), Reply(status: 401)) { stripe in
      let error = await failure { () throws(StripeError) in
        try await stripe.session().updateMetadata(of: .invoice("in_1"), ["a": "b"], idempotencyKey: "k")
      }
      #expect(error?.retry == .credential)
      #expect(error?.mayHaveHappened == true)
      #expect(error?.attempts == 2)
    }
  }

  @Test("Metadata that Stripe would refuse is not sent")
  func badMetadata() async throws {
    try await FakeStripe.serve(Reply()) { stripe in
      let error = await failure { () throws(StripeError) in
        try await stripe.session().updateMetadata(of: .invoice("in_1"), ["a[b]": "c"], idempotencyKey: "k")
      }
      #expect(error?.retry == .invalid)
      #expect(stripe.asked.isEmpty)
    }
  }

  /// A list of `count` lines, served by Stripe's rules: `limit`, `starting_after`, `has_more`.
  private static func lines(_ count: Int) -> @Sendable (FakeStripe.Asked, Int) -> Reply {
    { asked, _ in
      let query = asked.query
      let first = (query["starting_after"]?.dropFirst(3)).flatMap { Int($0) }.map { $0 + 1 } ?? 0
      let end = min(first + (Int(query["limit"] ?? "") ?? 10), count)
      let data = (first..<max(first, end)).map { "{\"id\":\"li_\($0)\"}" }.joined(separator: ",")
      return Reply(body: #"{"object":"list","has_more":\#(end < count),"data":[\#(data)]}"#)
    }
  }

  @Test("A list of 250 lines is read whole, in three pages and in order", arguments: [0, 1, 100, 101, 250])
  func allPages(_ count: Int) async throws {
    try await FakeStripe.serve(Self.lines(count)) { stripe in
      let list = try await stripe.session().checkoutSessionLineItems("cs_1")
      #expect(list.items.compactMap { $0["id"]?.string } == (0..<count).map { "li_\($0)" })
      #expect(stripe.asked.count == max(1, (count + 99) / 100))
      #expect(stripe.asked.allSatisfy { $0.path == "/v1/checkout/sessions/cs_1/line_items" })
      #expect(stripe.asked.allSatisfy { $0.query["limit"] == "100" })
      #expect(stripe.asked.allSatisfy { !$0.target.contains("expand") })
    }
  }

  @Test("One page names the cursor of the next")
  func onePage() async throws {
    try await FakeStripe.serve(Self.lines(5)) { stripe in
      let first = try await stripe.session().prices(product: "prod_1", active: true, limit: 3)
      #expect(first.items.count == 3)
      #expect(first.nextCursor == "li_2")
      #expect(stripe.asked.first?.query == ["product": "prod_1", "active": "true", "limit": "3"])
      let second = try await stripe.session().prices(cursor: first.nextCursor, limit: 3)
      #expect(second.items.count == 2)
      #expect(second.nextCursor == nil)
    }
  }

  @Test("A list that goes round in circles ends in an error")
  func circle() async throws {
    try await FakeStripe.serve(Reply(body: #"{"has_more":true,"data":[{"id":"li_1"}]}"#)) { stripe in
      let error = await failure { () throws(StripeError) in try await stripe.session().invoiceLines("in_1") }
      #expect(error != nil)
      #expect(stripe.asked.count == 2)
    }
    try await FakeStripe.serve(Reply(body: #"{"id":"no list"}"#)) { stripe in
      let error = await failure { () throws(StripeError) in try await stripe.session().invoiceLines("in_1") }
      #expect(error?.message == "the answer is not a list")
    }
  }

  @Test("The budget is asked before every request, repetitions and pages included")
  func budget() async throws {
    let spent = Mutex(0)
    try await FakeStripe.serve(Self.lines(250)) { stripe in
      _ = try await stripe.session(budget: { spent.withLock { $0 += 1 } }).invoiceLines("in_1")
      #expect(spent.withLock { $0 } == 3)
    }
    try await FakeStripe.serve(Reply(status: 500), Reply()) { stripe in
      _ = try await stripe.session(budget: { spent.withLock { $0 += 1 } }).charge("ch_1")
      #expect(spent.withLock { $0 } == 5)
    }
  }

  @Test("What the budget throws ends the call before anything is sent")
  func budgetRefuses() async throws {
    struct NotNow: Error {}
    try await FakeStripe.serve(Reply()) { stripe in
      let refused = await failure { () throws(StripeError) in
        try await stripe.session(budget: { throw NotNow() }).charge("ch_1")
      }
      #expect(refused?.retry == .rateLimited(reason: "budget", after: nil))
      #expect(refused?.cause is NotNow)
      #expect(refused?.attempts == 0)
      let own = await failure { () throws(StripeError) in
        try await stripe.session(budget: { throw StripeError(message: "parked", retry: .credential) }).charge("ch_1")
      }
      #expect(own?.retry == .credential)
      let cancelled = await failure { () throws(StripeError) in
        try await stripe.session(budget: { throw CancellationError() }).charge("ch_1")
      }
      #expect(cancelled?.retry == .cancelled)
      #expect(stripe.asked.isEmpty)
    }
  }

  @Test("A cancelled task's call ends as cancelled, while it waits for an answer")
  func cancellation() async throws {
    let (arrivals, arrived) = AsyncStream.makeStream(of: Void.self)
    try await FakeStripe.serve({ _, _ in
      arrived.yield()
      try await Task.sleep(for: .seconds(30))
      return Reply()
    }) { stripe in
      let session = stripe.session()
      async let error = failure { () throws(StripeError) in try await session.charge("ch_1") }
      let task = Task { await failure { () throws(StripeError) in try await session.charge("ch_2") } }
      var iterator = arrivals.makeAsyncIterator()
      _ = await iterator.next()
      _ = await iterator.next()
      task.cancel()
      #expect(await task.value?.retry == .cancelled)
      stripe.transport.shutdown()
      #expect(await error?.retry == .cancelled)
    }
  }

  @Test("The sessions behind an invoice are found through its payments")
  func sessionsOfInvoice() async throws {
    try await FakeStripe.serve({ asked, _ in
      if asked.path == "/v1/invoice_payments" {
        let rows =
          #"{"id":"inpay_1","payment":{"type":"payment_intent","payment_intent":"pi_1"}},{"id":"inpay_2","payment":{"type":"charge","charge":"ch_1"}}"#
        return Reply(body: #"{"data":[\#(rows)],"has_more":false}"#)
      }
      return Reply(body: #"{"data":[{"id":"cs_of_\#(asked.query["payment_intent"] ?? "")"}],"has_more":false}"#)
    }) { stripe in
      let sessions = try await stripe.session().checkoutSessions(invoice: "in_1")
      #expect(sessions.items.map { $0["id"] } == ["cs_of_pi_1"])
      #expect(stripe.asked.first?.query["invoice"] == "in_1")
    }
  }

  @Test("Each object is asked for where Stripe keeps it")
  func paths() async throws {
    try await FakeStripe.serve(Reply(body: #"{"data":[],"has_more":false}"#)) { stripe in
      let session = stripe.session()
      _ = try await session.checkoutSession("cs_1")
      _ = try await session.checkoutSessions(paymentIntent: "pi_1")
      _ = try await session.checkoutSessions(subscription: "sub_1")
      _ = try await session.subscriptionItems("sub_1")
      _ = try await session.subscriptions(customer: "cus_1", createdSince: Date(timeIntervalSince1970: 5.5))
      _ = try await session.invoicePayments(paymentIntent: "pi_1")
      _ = try await session.paymentIntent("pi_1")
      _ = try await session.refunds(charge: "ch_1")
      _ = try await session.dispute("du_1")
      _ = try await session.product("prod_1")
      _ = try await session.price("price_1")
      _ = try await session.events(types: ["invoice.paid", "charge.refunded"], cursor: "evt_1")
      let targets = stripe.asked.map {
        FormEncoding.decode($0.target.replacingOccurrences(of: "=", with: "%3D"))?.map(\.0).joined(separator: "&")
      }
      #expect(
        targets == [
          "/v1/checkout/sessions/cs_1",
          "/v1/checkout/sessions?payment_intent=pi_1&limit=100",
          "/v1/checkout/sessions?subscription=sub_1&limit=100",
          "/v1/subscription_items?subscription=sub_1&limit=100",
          "/v1/subscriptions?status=all&customer=cus_1&created[gte]=5&limit=100",
          "/v1/invoice_payments?payment[type]=payment_intent&payment[payment_intent]=pi_1&limit=100",
          "/v1/payment_intents/pi_1",
          "/v1/refunds?charge=ch_1&limit=100",
          "/v1/disputes/du_1",
          "/v1/products/prod_1",
          "/v1/prices/price_1",
          "/v1/events?types[0]=invoice.paid&types[1]=charge.refunded&limit=100&starting_after=evt_1",
        ])
    }
  }
}
