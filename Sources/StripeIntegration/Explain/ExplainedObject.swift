import Identity
import Purchases

/// What an id is about, by its prefix (API reference, "Object identifiers"). The prefixes are old conventions but not
/// promised, so an id without a known prefix is still searched for on record.
struct ExplainedObject: Hashable, Sendable {
  enum Kind: String, Hashable, Sendable, Encodable {
    case checkoutSession = "checkout_session"
    case subscription
    case subscriptionItem = "subscription_item"
    case invoice
    case invoiceLine = "invoice_line"
    case invoicePayment = "invoice_payment"
    case lineItem = "line_item"
    case payment = "payment_intent"
    case charge, refund, dispute, customer, product, price, event
    case paymentLink = "payment_link"
    case fulfillment
    /// No Stripe prefix: a license, or nothing known.
    case license
  }

  let id: String
  let kind: Kind

  init(_ id: String) {
    self.id = id
    let known = Self.prefixes.first { id.hasPrefix($0.prefix) }
    kind = known?.kind ?? .license
  }

  private static let prefixes: [(prefix: String, kind: Kind)] = [
    ("cs_", .checkoutSession), ("sub_", .subscription), ("si_", .subscriptionItem), ("in_", .invoice),
    ("inpay_", .invoicePayment), ("il_", .invoiceLine), ("li_", .lineItem), ("pi_", .payment), ("ch_", .charge),
    ("py_", .charge), ("re_", .refund), ("pyr_", .refund), ("du_", .dispute), ("dp_", .dispute), ("cus_", .customer),
    ("prod_", .product), ("price_", .price), ("plan_", .price), ("evt_", .event), ("plink_", .paymentLink),
    ("ful_", .fulfillment),
  ]

  var noun: String {
    switch kind {
    case .checkoutSession: "Checkout Session"
    case .subscription: "subscription"
    case .subscriptionItem: "subscription item"
    case .invoice: "invoice"
    case .invoiceLine: "invoice line"
    case .invoicePayment: "invoice payment"
    case .lineItem: "line item"
    case .payment: "payment"
    case .charge: "charge"
    case .refund: "refund"
    case .dispute: "dispute"
    case .customer: "customer"
    case .product: "product"
    case .price: "price"
    case .event: "event"
    case .paymentLink: "Payment Link"
    case .fulfillment: "fulfillment"
    case .license: "license"
    }
  }

  /// The mode that the id itself names; only ids of Checkout Sessions do.
  var livemode: Bool? {
    if id.hasPrefix("cs_test_") { return false }
    if id.hasPrefix("cs_live_") { return true }
    return nil
  }

  /// What to ask Stripe about this id alone, if decisions need the answer.
  var question: Question? {
    switch kind {
    case .checkoutSession: .checkoutSession(.init(id))
    case .subscription: .subscription(.init(id))
    case .invoice: .invoice(.init(id))
    case .payment: .paymentIntent(.init(id))
    case .charge: .charge(.init(id))
    case .refund: .refund(.init(id))
    case .dispute: .dispute(.init(id))
    case .customer: .customer(.init(id))
    case .price: .price(.init(id))
    default: nil
    }
  }
}
