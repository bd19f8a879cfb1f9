import Identity
import LicenseKitAPI

@testable import Purchases

/// Makes a failing history as small as it goes while it fails in some way.
func shrunk(_ history: History, while fails: (History) -> Bool) -> History {
  var smallest = history
  var hasShrunk = true
  while hasShrunk {
    hasShrunk = false
    for candidate in simpler(smallest) where fails(candidate) {
      smallest = candidate
      hasShrunk = true
      break
    }
  }
  return smallest
}

private func simpler(_ history: History) -> [History] {
  var candidates: [History] = []
  func add(_ change: (inout History) -> Void) {
    var candidate = history
    change(&candidate)
    if candidate != history { candidates.append(candidate) }
  }
  for index in history.happenings.indices.reversed() {
    add { history in
      let removed = history.happenings.remove(at: index)
      if index < history.happenings.count { history.happenings[index].after += removed.after }
    }
  }
  for index in history.happenings.indices {
    add { $0.happenings[index].after = 0 }
    add { $0.happenings[index].after = min($0.happenings[index].after, 10) }
    for beginning in simpler(history.happenings[index].what) { add { $0.happenings[index].what = beginning } }
  }
  add { $0.cutsLists = false }
  add { $0.tellsInvoicePayments = true }
  add { $0.shape = .new }
  add { $0.billsFlexibly = true }
  add { $0.offer.addOn = Offer().addOn }
  add { $0.offer.bundled = nil }
  add { $0.offer.a2 = nil }
  add { $0.offer.b = Offer.terms("lk_b") }
  add { $0.offer.a = Offer.terms("lk_a") }
  add { $0.offer.a.quantity = .one }
  add { $0.offer.a.licenseType = .subscription }
  add { $0.offer.a.graceDays = 3 }
  add { $0.offer.a.termDays = nil }
  add { $0.offer.a.trial = true }
  add { $0.offer.a.onFullRefund = .revoke }
  add { $0.offer.a.onDispute = .suspend }
  add { $0.offer.a.onPause = .suspend }
  add { $0.offer.a.onCancel = .expire }
  return candidates
}
