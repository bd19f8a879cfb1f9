import Foundation
import Identity
import LicenseKitAPI

@testable import Purchases

extension Service {
  /// Performs one run over a purchase, in memory, to its end or to a crash.
  mutating func reconcile(_ id: Int, in stripe: StripeModel, crash: Crash? = nil) {
    guard let purchase = purchases[id] else { return }
    let now = Date(timeIntervalSince1970: TimeInterval(stripe.now))
    purchases[id]?.needsLook = false
    var run = Reconciliation(
      of: tenant,
      .init(attempts: purchase.attempts, status: purchase.decision?.status, inspects: purchase.inspects), now: now)
    var (action, crash) = (run.begin(), crash)
    while true {
      if case .finish(let result) = action { return ended(id, result) }
      crash?.counts(action)
      guard crash?.isDue != .before, let input = perform(action, id, run, in: stripe, now: now), crash?.isDue == nil
      else {
        purchases[id]?.needsLook = true
        return
      }
      action = run.next(input, now: now)
    }
  }

  private mutating func ended(_ id: Int, _ result: Reconciliation.Result) {
    switch result {
    case .done: return
    case .failed(let reason), .again(let reason):
      if !hasKnownTrouble { problems.append("purchase \(id) does not come to its end: \(reason)") }
      if case .failed = result { return }
    case .lost, .outage, .blocked: break
    }
    purchases[id]?.needsLook = true
  }

  private mutating func perform(
    _ action: Reconciliation.Action, _ id: Int, _ run: Reconciliation, in stripe: StripeModel, now: Date
  ) -> Reconciliation.Input? {
    func refusal(_ error: any Error) -> Refusal {
      FailurePolicy().refusal(error, attempts: run.beginning.attempts, jitter: run.beginning.jitter)
    }
    switch action {
    case .load:
      guard var recorded = purchases[id]?.recorded else { return .leaseLost }
      (recorded.customers, recorded.contacts) = ([:], [:])
      return .loaded(
        .init(knowledge: knowledge(of: id), recorded: recorded, mappings: mappings, settings: settings))
    case .findCustomer(let code):
      purchases[id]?.recorded.customers[code] = customers[code]
      purchases[id]?.recorded.contacts[code] = contacts[code]
      return .customer(customers[code].map { .init(id: $0, contact: contacts[code]) })
    case .commit(let writes):
      if troubles?.losesLease() == true { return .leaseLost }
      for write in writes where !self.write(write, id) { return .leaseLost }
      return .committed(.init())
    case .ask(let questions):
      var answers: [Reconciliation.Answer] = []
      do {
        for question in questions {
          if let error = troubles?.ofStripe() { return .answered(answers, refusal(error)) }
          // Stripe answers somewhere within the second.
          answers.append(
            .init(question: question, snapshot: try stripe.answer(question), answeredAt: now.addingTimeInterval(0.4)))
        }
        return .answered(answers, nil)
      } catch {
        problems.append("an answer could not be read: \(error)")
        return nil
      }
    case .replaceCredential: return .credentialReplaced
    case .writeBack: return troubles?.ofStripe().map { .refused(refusal($0)) } ?? .wroteBack(note: nil)
    case .look(let licenses):
      var seen: [UnitKey: SeenLicense] = [:]
      do {
        for (key, license) in licenses.sorted(by: { $0.key < $1.key }) {
          let known = try kit.seen(license, now: now)
          seen[key] = SeenLicense(
            id: license, status: troubles?.ofStatus() ?? known.status, expiresAt: known.expiresAt, policy: known.policy)
        }
        return .looked(seen, nil)
      } catch {
        return .looked(seen, refusal(error))
      }
    case .call(let step, let before):
      defer { noteUsable(now) }
      do {
        return .succeeded(try call(step, before, customer: run.decision?.customer, now: now))
      } catch {
        return .refused(refusal(error))
      }
    case .revokeLost(let unit, let generation, let recorded):
      return .lostRevoked(found: kit.revokeLost(unit, generation: generation, recorded, of: tenant))
    case .lookAtFormer(let license):
      do {
        return .sawFormer(try kit.seen(license, now: now))
      } catch {
        return .refused(refusal(error))
      }
    case .findGone(let records): return .foundGone(records.filter { kit.isMissing($0) })
    case .finish: return nil
    }
  }
}
