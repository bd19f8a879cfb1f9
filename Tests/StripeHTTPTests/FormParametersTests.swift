import HTTPTransport
import StripeAPI
import Testing

@testable import StripeHTTP

@Suite("Parameters of requests")
struct FormParametersTests {
  @Test("Nested values get bracketed names, in the order they were given")
  func nesting() {
    let parameters: FormParameters = [
      "limit": 100, "active": true, "payment": ["type": "payment_intent", "payment_intent": "pi_1"],
      "types": ["invoice.paid", "charge.refunded"], "created": ["gte": 1_700_000_000],
    ]
    #expect(
      parameters.pairs.map { "\($0.0)=\($0.1)" } == [
        "limit=100", "active=true", "payment[type]=payment_intent", "payment[payment_intent]=pi_1",
        "types[0]=invoice.paid", "types[1]=charge.refunded", "created[gte]=1700000000",
      ])
  }

  @Test("A plus-address keeps its plus, and nothing in a value can become a parameter")
  func escaping() {
    let parameters: FormParameters = ["metadata": ["a&b=c": "me+you@example.com & more=1"]]
    #expect(
      FormEncoding.encode(parameters.pairs)
        == "metadata%5Ba%26b%3Dc%5D=me%2Byou%40example.com+%26+more%3D1")
  }

  @Test("A parameter without a value is left out, an empty one is sent")
  func absent() {
    #expect(FormParameters().adding("a", nil).adding("b", "").pairs.map(\.0) == ["b"])
  }

  @Test("Metadata beyond Stripe's limits is refused before it is sent")
  func metadataLimits() {
    #expect(StripeMetadata.problem(in: ["licensekit_order_id": "ord_1"]) == nil)
    #expect(StripeMetadata.problem(in: [String(repeating: "k", count: 41): ""]) != nil)
    #expect(StripeMetadata.problem(in: ["k": String(repeating: "v", count: 501)]) != nil)
    #expect(StripeMetadata.problem(in: ["k[0]": "v"]) != nil)
    #expect(StripeMetadata.problem(in: ["": "v"]) != nil)
    #expect(
      StripeMetadata.problem(in: Dictionary(uniqueKeysWithValues: (0...50).map { ("k\($0)", "v") }))
        == "more than 50 keys")
  }
}
