import Foundation
import Identity
import LicenseKitAPI
import Testing

@testable import Purchases

@Suite("What a person changes at LicenseKit")
struct ManualOverrideTests {
  private func subscribed(_ terms: (inout Terms) -> Void = { _ in }) -> Story {
    var story = Story(terms)
    story.subscribes(one())
    return story
  }

  @Test("A license that was revoked by hand is not issued anew, whatever is paid")
  func revoked() {
    var story = subscribed()
    story.byHand { $0.revoke($1) }
    story.then(.renew, .renew)
    #expect(story.licenses == ["lk_a revoked"])
    #expect(story.status == .ended)
    #expect(story.reason?.contains("revoked by hand") == true)
    #expect(story.problems.isEmpty)
  }

  @Test("A license that was suspended by hand stays suspended while it is paid for, and its time goes on")
  func suspended() {
    var story = subscribed()
    story.byHand { $0.suspend($1) }
    story.then(.renew)
    #expect(story.licenses == ["lk_a suspended"])
    #expect(story.status == .suspended)
    #expect((story.daysLeft ?? 0) > 31)
    #expect(story.problems.isEmpty)
  }

  @Test("A suspension by hand that is undone by hand leaves nothing behind")
  func undone() {
    var story = subscribed()
    story.byHand { $0.suspend($1) }
    story.then(.renew)
    story.byHand { $0.reinstate($1, now: $2) }
    story.then(.renew)
    #expect(story.licenses == ["lk_a active"])
    #expect(story.status == .fulfilled)
    #expect(story.reason == nil)
  }

  @Test("A license that was reinstated by hand during a dispute stays so, until the dispute is lost")
  func reinstated() {
    var story = Story()
    story.buys(one())
    story.then(.dispute(payment: 0, inquiry: false))
    #expect(story.licenses == ["lk_a suspended"])
    story.byHand { $0.reinstate($1, now: $2) }
    story.looksAgain()
    #expect(story.licenses == ["lk_a active"])
    #expect(story.status == .fulfilled)
    #expect(story.reason?.contains("disputed") == true)
    #expect(story.reason?.contains("reinstated by hand") == true)
    story.then(.disputeLost)
    #expect(story.licenses == ["lk_a revoked"])
  }

  @Test("A license that LicenseKit called active by mistake works when it is due again")
  func calledActive() {
    var story = Story()
    story.buys(one())
    story.then(.dispute(payment: 0, inquiry: false))
    story.byHand { $0.reinstate($1, now: $2) }
    story.looksAgain()
    // As if it had never been so.
    story.byHand { $0.suspend($1) }
    story.then(.disputeWon)
    #expect(story.licenses == ["lk_a active"])
    #expect(story.reason == nil)
  }

  @Test("Time that was given by hand outlasts a payment that fails, but not a dispute")
  func extended() {
    var story = subscribed()
    story.byHand { $0.renew($1, until: $2.addingTimeInterval(120 * 86_400)) }
    story.looksAgain()
    story.passes(31)
    story.then(.failRenewal, .endDunning("unpaid"))
    story.passes(20)
    #expect(story.licenses == ["lk_a active"])
    #expect(story.status == .fulfilled)
    story.then(.dispute(payment: 0, inquiry: false))
    #expect(story.licenses == ["lk_a suspended"])
  }

  @Test("Time that was given by hand is forgotten when more has been paid for")
  func overtaken() {
    var story = subscribed()
    story.byHand { $0.renew($1, until: $2.addingTimeInterval(40 * 86_400)) }
    story.looksAgain()
    #expect(story.reason?.contains("extended by hand") == true)
    story.passes(31)
    story.then(.renew)
    #expect(story.reason == nil)
    #expect(story.licenses == ["lk_a active"])
  }

  @Test("A license that has run out by itself was not changed by hand")
  func expired() {
    var unit = Recorded.Unit(
      generation: 1,
      license: .issued("lic_1", status: .active, expiresAt: Date(timeIntervalSince1970: 10), features: []))
    let before = unit
    for status in [LicenseStatus.expired, .gracePeriod] {
      #expect(unit.observe(status, expiresAt: Date(timeIntervalSince1970: 10)).isEmpty)
    }
    #expect(unit == before)
  }

  @Test("While a change of our own is in flight, nothing is taken for one made by hand")
  func inFlight() {
    var unit = Recorded.Unit(
      generation: 1, license: .issued("lic_1", status: .active, expiresAt: nil, features: []), inFlight: .suspend)
    #expect(unit.observe(.suspended, expiresAt: nil).isEmpty)
    #expect(unit.manualOverrides.isEmpty)
  }

  @Test("A later end is our own while a change is in flight, an earlier one is none", arguments: [-30, 0, 30])
  func laterEndInFlight(days: Int) {
    let end = Date(timeIntervalSince1970: 1_000_000)
    for change in [Recorded.Unit.InFlight.renew, .reinstate, .suspend] {
      var unit = Recorded.Unit(
        generation: 1, license: .issued("lic_1", status: .active, expiresAt: end, features: []), inFlight: change)
      let seen = end.addingTimeInterval(TimeInterval(days) * 86_400)
      #expect(unit.observe(.active, expiresAt: seen).isEmpty)
      #expect(unit.license == .issued("lic_1", status: .active, expiresAt: max(end, seen), features: []))
      #expect(unit.inFlight == change)
    }
  }

  @Test("A renewal that was done and not recorded does not outlive what is paid for when less is")
  func doneAndNotRecorded() throws {
    var story = subscribed()
    story.passes(31)
    story.then(.renew)
    // The records are those of the moment at which the renewal was asked for and no answer came.
    story.service.doubtsRenewal()
    story.then(.refund(payment: 0, part: false, pending: false))
    #expect(story.licenses == ["lk_a suspended"])
    #expect(story.problems == [])
    #expect(story.service.waiting == [])
  }
}

@Suite("A plan whose policy is another")
struct PolicyChangeTests {
  private func offer(sameKey: Bool) -> Offer {
    var offer = Offer()
    var pro = offer.a
    if !sameKey { pro.policy = "policy_pro" }
    pro.features = [.init(featureID: "pro", maxConsumptions: nil)]
    offer.a2 = pro
    return offer
  }

  @Test("Another tier of one policy changes the features and keeps the key")
  func features() {
    var story = Story(offer(sameKey: true))
    story.subscribes(one())
    story.then(.setPrice(item: 0, "price_a2", invoiced: true))
    #expect(story.licenses == ["lk_a active"])
    #expect(story.features == ["pro": -1])
  }

  @Test("Another policy of the same product: the new license exists before the old one is revoked")
  func policy() {
    var story = Story(offer(sameKey: false))
    story.subscribes(one())
    story.then(.setPrice(item: 0, "price_a2", invoiced: true))
    #expect(story.licenses == ["lk_a revoked", "lk_a active"])
    #expect(story.service.leastUsable == 1)
    #expect(story.problems.isEmpty)
  }

  @Test("There and back again ends in one license that works")
  func back() {
    var story = Story(offer(sameKey: false))
    story.subscribes(one())
    story.then(.setPrice(item: 0, "price_a2", invoiced: true), .setPrice(item: 0, "price_a1", invoiced: true))
    #expect(story.licenses == ["lk_a revoked", "lk_a revoked", "lk_a active"])
    #expect(story.service.leastUsable == 1)
  }

  @Test("A license that was suspended by hand is not replaced")
  func byHand() {
    var story = Story(offer(sameKey: false))
    story.subscribes(one())
    story.byHand { $0.suspend($1) }
    story.then(.setPrice(item: 0, "price_a2", invoiced: true))
    #expect(story.licenses == ["lk_a suspended"])
  }
}
