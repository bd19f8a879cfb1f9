import Foundation
import Identity
import LicenseKitAPI

@testable import Purchases

/// Tells one example: things happen at Stripe, the service hears of them at once and acts.
struct Story {
  private(set) var stripe: StripeModel
  var service: Service
  private var heard = 0
  private var root = ""
  /// Events wait until `deliver` when set.
  var holdsEvents = false

  init(_ offer: Offer = Offer(), shape: Shape = .new, cutsLists: Bool = false, tellsInvoicePayments: Bool = true) {
    stripe = StripeModel(shape: shape, cutsLists: cutsLists, tellsInvoicePayments: tellsInvoicePayments)
    service = Service(mappings: offer.mappings, isIdempotent: true)
  }

  init(_ terms: (inout Terms) -> Void) { self.init(Offer(a: Offer.terms("lk_a", terms))) }

  mutating func begins(_ beginning: Beginning) {
    root = stripe.begin(beginning)
    hear()
  }

  mutating func buys(_ wishes: Wish..., guest: Bool = false, makesInvoice: Bool = false, delayed: Bool = false) {
    begins(.checkout(guest: guest, makesInvoice: makesInvoice, delayed: delayed, wishes))
  }

  mutating func subscribes(_ wishes: Wish..., trial: Bool = false, opensIncomplete: Bool = false) {
    begins(.subscription(trial: trial, byCheckout: true, opensIncomplete: opensIncomplete, wishes))
  }

  mutating func then(_ changes: Change...) {
    for change in changes {
      passes(0, hours: 1)
      stripe.apply(change, to: root)
      hear()
    }
  }

  /// Something happens at Stripe that no `Change` tells; the root of the purchase is named.
  mutating func happens(_ body: (inout StripeModel, _ root: String) throws -> Void) rethrows {
    passes(0, hours: 1)
    try body(&stripe, root)
    hear()
  }

  /// The service is installed only now: it knows nothing, and what was told before does not come again.
  mutating func forgets() {
    service = Service(mappings: service.mappings, isIdempotent: true)
    heard = stripe.events.count
  }

  /// What the vendor has chosen for the account.
  mutating func sets(_ settings: TenantSettings) {
    stripe.settings = settings
    service.settings = settings
  }

  /// Time passes; the service wakes when it wanted to.
  mutating func passes(_ days: Int, hours: Int = 0) {
    let end = stripe.now + Seconds(days) * day + Seconds(hours) * 3_600
    while let next = service.nextLook.map({ Seconds($0.timeIntervalSince1970.rounded(.up)) }), next <= end {
      stripe.now = max(stripe.now, next)
      service.wake(now: now)
      work()
    }
    stripe.now = end
  }

  /// A person changes the license at LicenseKit.
  mutating func byHand(_ change: (inout FakeLicenseKit, LicenseID) -> Void) { service.byHand(change) }
  mutating func byHand(_ change: (inout FakeLicenseKit, LicenseID, Date) -> Void) {
    let now = now
    service.byHand { change(&$0, $1, now) }
  }

  mutating func byHandSuspended(_ change: (inout FakeLicenseKit, LicenseID, Date) -> Void) {
    let now = now
    service.byHandSuspended { change(&$0, $1, now) }
  }

  /// The service compares what it knows with what LicenseKit has.
  mutating func looksAgain() {
    service.inspect()
    work()
  }

  var now: Date { Date(timeIntervalSince1970: TimeInterval(stripe.now)) }

  private mutating func hear() {
    if holdsEvents { return }
    deliver { _ in true }
  }

  /// Delivers everything that was held back, by the places of the events among all.
  mutating func deliverAll(_ order: [Int]) {
    for place in order {
      service.deliver(stripe.events[place])
      work()
    }
    heard = stripe.events.count
  }

  /// Delivers the events that were held back and whose type is named, in the order of the names.
  mutating func deliver(_ types: String...) {
    for type in types {
      for event in stripe.events where event.type == type { service.deliver(event) }
      work()
    }
  }

  private mutating func deliver(_ isWanted: (ModelEvent) -> Bool) {
    for event in stripe.events[heard...] where isWanted(event) {
      service.deliver(event)
      work()
    }
    heard = stripe.events.count
  }

  private mutating func work() {
    while let purchase = service.waiting.first { service.reconcile(purchase, in: stripe) }
  }

  // MARK: What there is

  /// Every license ever issued, oldest first: "lk_a active".
  var licenses: [String] {
    service.kit.licenses.sorted { Int($0.key.rawValue.dropFirst(4)) ?? 0 < Int($1.key.rawValue.dropFirst(4)) ?? 0 }
      .map { license in
        let isExpired = license.value.status == .active && !license.value.isUsable(at: now)
        return "\(license.value.unit.product) \(isExpired ? "expired" : license.value.status.rawValue)"
      }
  }

  /// The features of the first license: quota by id, -1 without limit.
  var features: [String: Int64] {
    let first = service.kit.licenses.values.min { $0.unit < $1.unit }
    return Dictionary(uniqueKeysWithValues: (first?.features ?? [:]).map { ($0.key.rawValue, $0.value ?? -1) })
  }

  /// For how many days from now the first license lasts.
  var daysLeft: Int? {
    service.kit.licenses.values.first?.expiresAt.map { Int(($0.timeIntervalSince(now) / 86_400).rounded()) }
  }

  var decision: Decision? { service.purchases.values.compactMap(\.decision).first }
  var status: PurchaseStatus? { decision?.status }
  /// What the vendor is told about the purchase.
  var reason: String? { decision?.reason }
  var problems: [String] { service.problems + service.kit.refusals }
}

func one(_ price: String = "price_a1") -> Wish { Wish(price: price, quantity: 1) }
func several(_ quantity: Int, _ price: String = "price_a1") -> Wish { Wish(price: price, quantity: quantity) }
