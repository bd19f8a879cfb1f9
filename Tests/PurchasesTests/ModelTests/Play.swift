import JSON

@testable import Purchases

/// A few things happen at Stripe, one after the other; for tests of the model and of the oracle.
struct Play {
  var stripe: StripeModel
  let root: String

  init(
    _ beginning: Beginning, shape: Shape = .new, flexible: Bool = true, cutsLists: Bool = false
  ) {
    stripe = StripeModel(shape: shape, cutsLists: cutsLists, billsFlexibly: flexible)
    root = stripe.begin(beginning)
  }

  static func subscription(
    _ wishes: Wish..., start: SubscriptionStart = .init(), shape: Shape = .new, flexible: Bool = true
  ) -> Play { Play(.subscription(start, wishes), shape: shape, flexible: flexible) }

  mutating func then(_ changes: Change..., after: Seconds = 0) {
    stripe.now += after
    for change in changes { stripe.apply(change, to: root) }
  }

  func after(_ changes: Change..., days: Seconds = 0) -> Play {
    var copy = self
    copy.stripe.now += days * day
    for change in changes { copy.stripe.apply(change, to: root) }
    return copy
  }

  var subscription: ModelSubscription { stripe.subscriptions[root]! }
  var invoices: [ModelInvoice] { stripe.invoices.values.sorted { $0.number < $1.number } }
  var newest: ModelInvoice { invoices.last! }

  /// The objects of all events of a type, oldest first.
  func told(_ type: String) -> [JSONValue] { stripe.events.filter { $0.type == type }.map(\.object) }

  /// The types of the events that the last changes made.
  func types(since former: Play) -> [String] { stripe.events.dropFirst(former.stripe.events.count).map(\.type) }

  /// How many licenses must and may be usable, days from now.
  func verdict(_ product: String, days: Seconds = 0, _ offer: Offer = Offer()) -> ClosedRange<Int> {
    let verdict = Oracle(stripe: stripe, offer: offer, at: stripe.now + days * day).verdict()
    return (verdict.must[product] ?? 0)...(verdict.most[product] ?? 0)
  }
}

extension JSONValue {
  /// A value somewhere inside: `at("parent", "type")`.
  func at(_ path: String...) -> JSONValue? { path.reduce(Optional(self)) { $0?[$1] } }
}
