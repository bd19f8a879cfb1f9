import JSON
import StripeAPI
import Testing

@testable import Purchases

@Suite("What a thin event does, type by type")
struct ThinEventEffectTests {
  private func effect(_ type: String, object: String? = "x_1", snapshotEvent: String? = nil) throws -> ThinEventEffect {
    let event: JSONValue = [
      "id": "evt_1", "object": "v2.core.event", "type": .string(type), "created": "2027-01-15T08:00:00Z",
      "livemode": true, "context": "acct_1", "snapshot_event": snapshotEvent.map { .string($0) } ?? .null,
      "related_object": object.map { ["id": .string($0), "type": "other"] } ?? .null,
    ]
    guard case .thin(let thin) = try DeliveredEvent(parsing: Array(event.text().utf8)) else {
      throw StripeEventError.notAnEvent
    }
    return EventTable.effect(of: thin)
  }

  @Test("The object of a type that is learned is asked for", arguments: EventTableTests.learned)
  func fetches(_ row: EventTableTests.Learned) throws {
    #expect(try effect("v1." + row.type) == .fetch)
    #expect(try effect("v1." + row.type, object: nil, snapshotEvent: "evt_2") == .fetch)
    #expect(try effect("v1." + row.type, object: nil) == .ignore("The event is about no object that has an id."))
  }

  @Test("Nothing is asked for where the type has no effect", arguments: EventTableTests.ignored.keys.sorted())
  func ignores(type: String) throws {
    let isOfInstall = type.hasPrefix("apps.install.")
    let reason = "Events of this type have no effect on licenses, so that the object is not asked for."
    #expect(try effect("v1." + type) == (isOfInstall ? .readInstalls : .ignore(reason)))
  }

  @Test("Installed and uninstalled is known at once; what else changes with an installation is read from the list")
  func installation() throws {
    #expect(try effect("v1.account.application.authorized", object: nil) == .application(.authorized))
    #expect(try effect("v1.account.application.deauthorized", object: nil) == .application(.deauthorized))
    for change in ["created", "updated", "deleted", "one_that_is_new"] {
      #expect(try effect("v1.apps.install.\(change)", object: nil) == .readInstalls)
      #expect(try effect("v1.app.install.\(change)", object: nil) == .readInstalls)
    }
  }

  @Test("An alert that events could not be made has Stripe's list of events read")
  func healthAlert() throws {
    for moment in ["raised", "updated", "resolved"] {
      #expect(try effect("v2.core.health.event_generation_failure.\(moment)", object: nil) == .eventSync)
    }
  }
}
