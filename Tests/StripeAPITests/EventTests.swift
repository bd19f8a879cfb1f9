import Foundation
import Identity
import JSON
import TestRandom
import StripeAPI
import Testing

@Suite("Events")
struct EventTests {
  let update = """
    {
      "id": "evt_7", "object": "event", "account": "acct_7", "api_version": "2025-03-31.basil",
      "created": 1700000123, "livemode": true, "pending_webhooks": 2,
      "request": {"id": "req_7", "idempotency_key": "key-7"},
      "type": "customer.subscription.updated",
      "data": {
        "object": {"id": "sub_7", "object": "subscription", "status": "active"},
        "previous_attributes": {"status": "trialing"}
      }
    }
    """

  func envelope(_ text: String) -> Result<EventEnvelope, StripeEventError> {
    Result { () throws(StripeEventError) in try EventEnvelope(scanning: Array(text.utf8)) }
  }

  func event(_ text: String) -> Result<StripeEvent, StripeEventError> {
    Result { () throws(StripeEventError) in try StripeEvent(parsing: Array(text.utf8)) }
  }

  @Test("The receiver's scan finds who, what and when")
  func scan() throws {
    let found = try envelope(update).get()
    #expect(found.id == "evt_7")
    #expect(found.account == "acct_7")
    #expect(found.type == "customer.subscription.updated")
    #expect(found.livemode)
    #expect(found.created == Date(timeIntervalSince1970: 1_700_000_123))
    #expect(found.objectID == "sub_7")
  }

  @Test("The whole event carries the snapshot, what changed, and whose request it was")
  func whole() throws {
    let event = try event(update).get()
    #expect(event.id == "evt_7")
    #expect(event.apiVersion == "2025-03-31.basil")
    #expect(event.objectKind == "subscription")
    #expect(event.objectID == "sub_7")
    #expect(event.object["status"] == "active")
    #expect(event.previousAttributes?["status"] == "trialing")
    #expect(event.requestID == "req_7")
    #expect(event.requestIdempotencyKey == "key-7")
  }

  @Test("An uninstall event comes in the merchant's version, without a request, and is read all the same")
  func deauthorized() throws {
    let text =
      #"{"id":"evt_8","object":"event","account":"acct_8","livemode":false,"created":1700000000,"api_version":"2019-02-19","type":"account.application.deauthorized","request":null,"data":{"object":{"id":"ca_8","object":"application","name":"Any"}}}"#
    let event = try event(text).get()
    #expect(event.type == "account.application.deauthorized")
    #expect(event.requestID == nil)
    #expect(event.previousAttributes == nil)
    #expect(try !envelope(text).get().livemode)
  }

  @Test("An event of the developer's own account has no account")
  func ownAccount() throws {
    let text =
      #"{"id":"evt_9","object":"event","livemode":true,"created":1,"type":"invoice.paid","data":{"object":{"object":"invoice"}}}"#
    #expect(try envelope(text).get().account == nil)
    #expect(try envelope(text).get().objectID == nil)
    #expect(try event(text).get().account == nil)
  }

  @Test(
    "An event that is about no object is an event all the same",
    arguments: [#""object": {}"#, #""object": null"#, #""object": "gone""#, #""object": {"id": 7}"#, ""])
  func aboutNothing(_ data: String) throws {
    let text =
      #"{"id":"evt_11","object":"event","account":"acct_11","livemode":true,"created":1,"type":"ping","data":{\#(data)}}"#
    #expect(try envelope(text).get().objectID == nil)
    #expect(try event(text).get().objectID == nil)
    #expect(
      try event(#"{"id":"evt_12","object":"event","livemode":true,"created":1,"type":"ping"}"#).get().object == [:])
  }

  @Test("An endpoint from before 2017-05-25 is told the account as user_id")
  func formerAccount() throws {
    let text = update.replacingOccurrences(of: #""account":"#, with: #""user_id":"#)
    #expect(try envelope(text).get().account == "acct_7")
    #expect(try event(text).get().account == "acct_7")
  }

  @Test("An unknown type is as good as any")
  func unknownType() throws {
    let text = update.replacingOccurrences(of: "customer.subscription.updated", with: "moon.risen")
    #expect(try envelope(text).get().type == "moon.risen")
    #expect(try event(text).get().type.rawValue == "moon.risen")
  }

  @Test(
    "What is not an event is refused, and the field that is wrong is named",
    arguments: [
      (#""id": "evt_7""#, #""id": 7"#, StripeEventError.missing("id")),
      (#""id": "evt_7""#, #""id": """#, .missing("id")),
      (#""id": "evt_7""#, #""id": "evt_\u0000""#, .missing("id")),
      (#""account": "acct_7""#, #""account": 7"#, .missing("account")),
      (#""account": "acct_7""#, #""account": "acct 7""#, .missing("account")),
      (#""livemode": true"#, #""livemode": "true""#, .missing("livemode")),
      (#""created": 1700000123"#, #""created": 1.7e9"#, .missing("created")),
      (#""created": 1700000123"#, #""created": -1"#, .missing("created")),
      (#""created": 1700000123"#, #""created": 9223372036854775807"#, .missing("created")),
      (#""type": "customer.subscription.updated""#, #""type": null"#, .missing("type")),
      (#""type": "customer.subscription.updated""#, #""type": "a\nb""#, .missing("type")),
      (#""object": "event""#, #""object": "list""#, .notAnEvent),
    ])
  func refused(_ part: String, _ replacement: String, _ expected: StripeEventError) {
    let text = update.replacingOccurrences(of: part, with: replacement)
    #expect(envelope(text) == .failure(expected))
    #expect(event(text) == .failure(expected))
  }

  @Test(
    "A body that is no JSON is refused by the scan exactly when the parser refuses it",
    arguments: 0..<20 as Range<UInt64>)
  func scanAndParserAgree(_ seed: UInt64) {
    var random = SeededRandom(seed: seed)
    for _ in 0..<100 {
      var bytes = Array(update.utf8)
      for _ in 0..<Int.random(in: 1...3, using: &random) {
        switch Int.random(in: 0...2, using: &random) {
        case 0: bytes[Int.random(in: bytes.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
        case 1: bytes.remove(at: Int.random(in: bytes.indices, using: &random))
        default: bytes.removeLast(Int.random(in: 0...(bytes.count - 1), using: &random))
        }
        if bytes.isEmpty { bytes = [0x20] }
      }
      let scanned = Result { () throws(StripeEventError) in try EventEnvelope(scanning: bytes) }
      let parsed = Result { () throws(StripeEventError) in try StripeEvent(parsing: bytes) }
      switch (scanned, parsed) {
      case (.success(let envelope), .success(let event)):
        #expect(envelope.id == event.id && envelope.account == event.account && envelope.livemode == event.livemode)
        #expect(envelope.type == event.type && envelope.created == event.created)
      case (.failure(.notJSON(let one)), .failure(.notJSON(let other))): #expect(one == other)
      case (.failure, .failure): break
      default: Issue.record("the scan says \(scanned), the parser \(parsed)")
      }
    }
  }

  @Test("An event that only echoes our own metadata is recognised")
  func echo() throws {
    func changes(_ previous: String) throws -> Bool {
      try event(update.replacingOccurrences(of: #"{"status": "trialing"}"#, with: previous)).get()
        .changesOnlyMetadata(keys: ["licensekit_license_id", "licensekit_order_id"])
    }
    #expect(try changes(#"{"metadata": {"licensekit_license_id": null}}"#))
    #expect(try !changes(#"{"metadata": {"licensekit_license_id": null, "plan": "x"}}"#))
    #expect(try !changes(#"{"metadata": {"licensekit_license_id": null}, "status": "trialing"}"#))
    #expect(try !changes("{}"))
    #expect(try !changes("null"))
  }
}
