import Foundation
import Identity
import JSON
import StripeAPI
import Testing

@Suite("Thin events")
struct ThinEventTests {
  private let paid = """
    {
      "id": "evt_thin_1", "object": "v2.core.event", "type": "v1.invoice.paid", "created": "2026-11-30T12:00:05.987Z",
      "livemode": true, "context": "acct_7", "snapshot_event": "evt_7",
      "related_object": {"id": "in_7", "type": "invoice", "url": "/v1/invoices/in_7"},
      "reason": {"type": "request", "request": {"id": "req_7", "idempotency_key": "key-7"}}
    }
    """

  private func envelope(_ text: String) -> Result<EventEnvelope, StripeEventError> {
    Result { () throws(StripeEventError) in try EventEnvelope(scanning: Array(text.utf8)) }
  }

  private func delivered(_ text: String) -> Result<DeliveredEvent, StripeEventError> {
    Result { () throws(StripeEventError) in try DeliveredEvent(parsing: Array(text.utf8)) }
  }

  private func thin(_ text: String) throws -> ThinEvent {
    guard case .thin(let event) = try delivered(text).get() else { throw StripeEventError.notAnEvent }
    return event
  }

  @Test("The receiver's scan finds who, what and when, under the id of the snapshot event of the same happening")
  func scan() throws {
    let found = try envelope(paid).get()
    #expect(found.id == "evt_7")
    #expect(found.account == "acct_7")
    #expect(found.type == "invoice.paid")
    #expect(found.livemode)
    #expect(found.created == RFC3339.date(from: "2026-11-30T12:00:05Z"), "the second that the snapshot event bears")
    #expect(found.objectID == "in_7")
  }

  @Test("The whole event names the object to ask for, and nothing of its state")
  func whole() throws {
    let event = try thin(paid)
    #expect(event.relatedObject?.id == "in_7" && event.relatedObject?.type == "invoice")
    #expect(event.id == "evt_7" && event.hasSnapshotEvent)
    #expect(event.request?["id"] == "req_7")
  }

  @Test("With its object it is the snapshot event that tells the same")
  func snapshot() throws {
    let object: JSONValue = ["id": "in_7", "object": "invoice", "status": "paid"]
    let text = try thin(paid).snapshot(of: object, version: "2025-03-31.basil").text()
    let event = try StripeEvent(parsing: Array(text.utf8))
    #expect(event.id == "evt_7" && event.account == "acct_7" && event.livemode)
    #expect(event.type == "invoice.paid")
    #expect(event.created == RFC3339.date(from: "2026-11-30T12:00:05Z"))
    #expect(event.object == object)
    #expect(event.requestIdempotencyKey == "key-7")
    #expect(try envelope(text).get().id == envelope(paid).get().id)
  }

  @Test("One that names no snapshot event is known by its own id")
  func alone() throws {
    let text =
      #"{"id":"evt_9","object":"v2.core.event","type":"v2.core.health.event_generation_failure.raised","created":"2026-11-30T12:00:05Z","livemode":false,"context":null,"related_object":null}"#
    let found = try envelope(text).get()
    #expect(found.id == "evt_9" && found.account == nil && found.objectID == nil)
    #expect(found.type.rawValue == "v2.core.health.event_generation_failure.raised")
    #expect(try thin(text).relatedObject == nil)
  }

  @Test("An account within an organisation is found at the end of the path to it")
  func organisation() throws {
    #expect(try envelope(paid.replacingOccurrences(of: "acct_7", with: "org_1/acct_7")).get().account == "acct_7")
  }

  @Test(
    "What is wrong in it is named, by the scan and by the reader alike",
    arguments: [
      (#""id": "evt_thin_1""#, #""id": 7"#, nil as StripeEventError?),
      (#""snapshot_event": "evt_7""#, #""snapshot_event": "a b""#, .missing("snapshot_event")),
      (#""snapshot_event": "evt_7""#, #""snapshot_event": """#, .missing("snapshot_event")),
      (#""context": "acct_7""#, #""context": 7"#, .missing("context")),
      (#""context": "acct_7""#, #""context": "/""#, .missing("context")),
      (#""context": "acct_7""#, #""context": "acct\u0000""#, .missing("context")),
      (#""type": "v1.invoice.paid""#, #""type": "v1.""#, .missing("type")),
      (#""type": "v1.invoice.paid""#, #""type": null"#, .missing("type")),
      (#""livemode": true"#, #""livemode": "true""#, .missing("livemode")),
      (#""2026-11-30T12:00:05.987Z""#, "1700000123", .missing("created")),
      (#""2026-11-30T12:00:05.987Z""#, #""yesterday""#, .missing("created")),
      (#""2026-11-30T12:00:05.987Z""#, #""0001-01-01T00:00:00Z""#, .missing("created")),
      (#""v2.core.event""#, #""v2.core.other""#, .notAnEvent),
    ])
  func wrong(part: String, instead: String, error: StripeEventError?) throws {
    let text = paid.replacingOccurrences(of: part, with: instead)
    #expect(text != paid)
    if let error {
      #expect(envelope(text) == .failure(error))
      #expect(delivered(text) == .failure(error))
    } else {
      #expect(try envelope(text).get().id == "evt_7", "the id of the snapshot event is what it is known by")
    }
  }

  @Test("What an app's installation is told by is read leniently, and without what nobody could show")
  func install() throws {
    let install = try AppInstall([
      "id": "appin_1", "object": "apps.install", "app": "dev.licensekit.stripe", "account": "acct_7", "livemode": true,
      "status": "installed", "channel": "public", "permissions_granted": ["event_read"],
      "permissions_pending": ["charge_read", 7, "a b"], "approval_required": true, "created": 1_700_000_000,
    ])
    #expect(install.permissionsPending == ["charge_read"])
    #expect(install.endpointsPending.isEmpty && install.isApprovalPending)
    #expect(install.status == .installed && install.account == "acct_7")
    #expect(throws: StripeObjectError.self) { try AppInstall(["id": "appin_1", "livemode": true]) }
  }
}
