import Foundation
import Identity
import LicenseKitAPI
import StripeAPI
import Testing

@testable import Purchases

@Suite("A run, told as a value")
struct ReconciliationTests {
  private func licenseKit(_ status: Int) -> LicenseKitError {
    LicenseKitError(status: status, code: "NO", message: "no")
  }

  @Test("of a first sale: each call stands between two commits, and what records one step begins the next")
  func firstSale() {
    var walk = Walk(recorded: Recorded())
    walk.toTheEnd()
    #expect(
      walk.told == [
        "load", "ask for the line items of \(walk.session)", "commit: learn", "load", "find customer",
        "commit: adopt, begin customer", "call customer",
        "commit: record customer, begin order", "call order",
        "commit: record order, begin license 1", "call license 1",
        "commit: record license 1, begin feature", "call feature",
        "commit: record feature, begin order fulfilled", "call order fulfilled",
        "commit: record order fulfilled, show", "commit: begin ids of session", "write back to session",
        "commit: record ids of session, begin ids of payment", "write back to payment",
        "commit: record ids of payment, end", "finish: done",
      ])
  }

  @Test("ends without another write when its lease is lost, wherever it is")
  func leaseLost() {
    for words in ["load", "ask", "commit: adopt", "call customer", "commit: record order", "write back"] {
      var walk = Walk()
      walk.upTo(words)
      walk.tell(.leaseLost)
      #expect(walk.told.last == "finish: lost", "at \(words)")
    }
  }

  @Test("whose license is refused without any effect leaves nothing in flight")
  func refusedWithoutEffect() {
    var walk = Walk()
    walk.upTo("call license")
    walk.refuse(licenseKit(422))
    #expect(walk.told.last == "commit: fail license 1, forget, end as failed, note")
    #expect(walk.run.recorded.units.isEmpty)
  }

  @Test("whose license may have been made all the same stays in flight, and the side that is away is left in peace")
  func refusedInFlight() {
    var walk = Walk()
    walk.upTo("call license")
    walk.refuse(licenseKit(503))
    #expect(walk.told.last == "commit: fail license 1, end for now, note")
    #expect(walk.run.recorded.units.values.map(\.license) == [.issuing])
    walk.toTheEnd()
    #expect(walk.told.last == "finish: LicenseKit is away")
  }

  @Test("that finds an attempt cut off and is refused revokes what that one may have left, and gives it up")
  func givenUp() throws {
    var first = Walk()
    first.upTo("call license")
    var walk = Walk(recorded: first.run.recorded)
    walk.upTo("call license")
    walk.refuse(licenseKit(422))
    #expect(walk.told.last == "commit: fail license 1")
    walk.toTheEnd()
    #expect(walk.told.suffix(3) == ["revoke what was lost", "commit: forget, end as failed, note", "finish: failed"])
    #expect(walk.run.recorded.units.isEmpty)
  }

  @Test("issues under another name when what was lost is found: the same request would give the revoked one again")
  func anotherName() throws {
    var first = Walk()
    first.upTo("call license")
    var walk = Walk(recorded: first.run.recorded)
    walk.upTo("call license")
    walk.refuse(licenseKit(422))
    walk.upTo("revoke what was lost")
    walk.tell(.lostRevoked(found: ["lic_lost"]))
    #expect(walk.told.last == "commit: restore, end as failed, note")
    var next = Walk(recorded: walk.run.recorded)
    next.upTo("call license")
    #expect(next.told.last == "call license 2")

    var again = Walk(recorded: first.run.recorded)
    again.upTo("call license 1")
    again.tell(.succeeded(StepOutcome(result: .license("lic_lost"), status: .revoked)))
    #expect(again.told.last == "commit: fail license 1, restore, begin license 2")
  }

  @Test("that is refused a license in place of another has the former one stand again")
  func formerStands() throws {
    var first = Walk()
    first.toTheEnd()
    var recorded = first.run.recorded
    let key = try #require(recorded.units.keys.first)
    recorded.units[key] = .init(generation: 2, license: .issuing, policy: "policy_lk_a", replaced: ["lic_former"])
    var walk = Walk(recorded: recorded)
    walk.upTo("call license")
    walk.refuse(licenseKit(422))
    walk.toTheEnd()
    #expect(walk.told.suffix(2) == ["commit: restore, end as failed, note", "finish: failed"])
    #expect(walk.run.recorded.licenseID(key) == "lic_former")
  }

  @Test("that hears of a record that is gone looks for what the mapping names first, then forgets what is gone")
  func gone() {
    var first = Walk()
    first.upTo("call license")
    var recorded = first.run.recorded
    recorded.units = [:]
    var walk = Walk(recorded: recorded)
    walk.upTo("call license")
    walk.refuse(licenseKit(404))
    walk.upTo("find gone: product")
    #expect(walk.told.last == "find gone: product lk_a, policy policy_lk_a, feature base, feature seats")
    walk.upTo("find gone: ")
    walk.tell(.foundGone([]))
    walk.upTo("find gone: ")
    #expect(walk.told.last == "find gone: customer cst_1, order ord_1")
    let order = recorded.orders.keys.first
    walk.tell(.foundGone(order.map { [.order($0, "ord_1")] } ?? []))
    #expect(walk.told.last == "commit: forget order ord_1, note, end for now")
    #expect(walk.run.recorded.orders.isEmpty)
    walk.toTheEnd()
    #expect(walk.told.last == "finish: again")
  }

  @Test("asks a person when the product that the mapping names is gone")
  func productGone() {
    var walk = Walk()
    walk.upTo("call order")
    walk.refuse(licenseKit(404))
    walk.upTo("find gone")
    walk.tell(.foundGone([.product("lk_a")]))
    #expect(walk.told.last == "commit: end as failed, note")
  }

  @Test("has a credential that Stripe refuses replaced twice; then the tenant's queue is blocked")
  func credential() {
    let error = StripeError(status: 401, message: "no", retry: .credential)
    var walk = Walk()
    for _ in 0..<2 {
      walk.upTo("ask")
      walk.tell(.answered([], FailurePolicy().refusal(error, attempts: 0, jitter: 0.5)))
      #expect(walk.told.last == "replace credential")
      walk.tell(.credentialReplaced)
    }
    walk.upTo("ask")
    walk.tell(.answered([], FailurePolicy().refusal(error, attempts: 0, jitter: 0.5)))
    walk.toTheEnd()
    #expect(walk.told.suffix(2) == ["commit: end until a person acts", "finish: stripe_credential"])
  }

  @Test("keeps the answers that Stripe gave before it went away")
  func partlyAnswered() {
    var walk = Walk()
    walk.upTo("ask")
    guard case .ask(let questions) = walk.action, let question = questions.first else {
      Issue.record("nothing is asked")
      return
    }
    let away = FailurePolicy().refusal(
      StripeError(status: 503, message: "no", retry: .retry(after: nil)), attempts: 0, jitter: 0.5)
    walk.tell(.answered([.init(question: question, snapshot: .missing(question.key), answeredAt: walk.now)], away))
    #expect(walk.told.last == "commit: learn, end for now, note")
    walk.toTheEnd()
    #expect(walk.told.last == "finish: Stripe is away")
  }

  @Test("leaves out a write-back that the vendor has not permitted, and ends well")
  func leftOut() {
    var walk = Walk()
    walk.upTo("write back to session")
    walk.refuse(StripeError(status: 403, message: "no", retry: .permission))
    #expect(walk.told.last == "commit: leave out ids of session, begin ids of payment")
    walk.toTheEnd()
    #expect(walk.told.last == "finish: done")
  }

  @Test("puts its write-backs off when others wait for their licenses, once")
  func othersWait() {
    for (status, last) in [(PurchaseStatus.pending, "commit: end"), (.fulfilled, "commit: begin ids of session")] {
      var walk = Walk(.init(status: status))
      walk.upTo("commit: record order fulfilled, show")
      walk.tell(.committed(.init(othersWait: true)))
      #expect(walk.told.last == last)
    }
  }

  @Test("takes no answer for a success that says the opposite")
  func contradicted() throws {
    var first = Walk()
    first.toTheEnd()
    var walk = Walk(recorded: first.run.recorded) { stripe, root in
      stripe.apply(.refund(payment: 0, part: false, pending: false), to: root)
    }
    walk.upTo("call revocation")
    #expect(walk.told.last == "call revocation")
    walk.tell(.succeeded(StepOutcome(result: .done, status: .active)))
    #expect(walk.told.last == "commit: fail revocation, end for now, note")
    #expect(walk.run.recorded.units.values.map(\.inFlight) == [.revoke])
  }

  @Test("looks at a license before it changes it, and leaves what a person has changed")
  func looksFirst() throws {
    var first = Walk()
    first.toTheEnd()
    let license = try #require(first.run.recorded.units.keys.first.flatMap { first.run.recorded.licenseID($0) })
    var walk = Walk(recorded: first.run.recorded) { stripe, root in
      stripe.apply(.dispute(payment: 0, inquiry: false), to: root)
    }
    walk.upTo("look at")
    #expect(walk.told.last == "look at \(license)")
    guard case .look(let asked) = walk.action else { return }
    walk.tell(
      .looked(asked.mapValues { .init(id: $0, status: .revoked, expiresAt: nil, policy: "policy_lk_a") }, nil))
    #expect(walk.told.last?.hasPrefix("commit: observe, note change") == true)
    walk.toTheEnd()
    #expect(!walk.told.contains("call suspension"))
    #expect(walk.told.last == "finish: done")
  }

  @Test("tells a row of equal failures once")
  func toldOnce() {
    var first = Walk()
    first.upTo("call customer")
    first.refuse(licenseKit(500))
    #expect(first.told.last == "commit: fail customer, end for now, note")
    guard case .commit(let writes) = first.action,
      case .end(.again(_, _, let reason))? = writes.first(where: { if case .end = $0 { true } else { false } })
    else {
      Issue.record("\(first.told)")
      return
    }
    var again = Walk(.init(attempts: 1, status: .pending, reason: reason))
    again.upTo("call customer")
    again.refuse(licenseKit(500))
    #expect(again.told.last == "commit: fail customer, end for now")
  }
}
