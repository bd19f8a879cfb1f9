/// Every kind of object the simulator keeps. The raw value is the object's `object` field.
enum Kind: String, CaseIterable, Sendable {
  case customer
  case product
  case price
  case session = "checkout.session"
  case sessionLine = "item"
  case paymentLink = "payment_link"
  case subscription
  case subscriptionItem = "subscription_item"
  case invoice
  case invoiceLine = "line_item"
  case invoicePayment = "invoice_payment"
  case paymentIntent = "payment_intent"
  case charge
  case refund
  case dispute
  case creditNote = "credit_note"
  case entitlement = "entitlements.active_entitlement"
  case file
  case testClock = "test_helpers.test_clock"

  /// The id's prefix.
  var prefix: String {
    switch self {
    case .customer: "cus_"
    case .product: "prod_"
    case .price: "price_"
    case .session: "cs_"
    case .sessionLine: "li_"
    case .paymentLink: "plink_"
    case .subscription: "sub_"
    case .subscriptionItem: "si_"
    case .invoice: "in_"
    case .invoiceLine: "il_"
    case .invoicePayment: "inpay_"
    case .paymentIntent: "pi_"
    case .charge: "ch_"
    case .refund: "re_"
    case .dispute: "du_"
    case .creditNote: "cn_"
    case .entitlement: "ent_"
    case .file: "file_"
    case .testClock: "clock_"
    }
  }

  /// What error messages call it.
  var noun: String {
    switch self {
    case .session: "checkout.session"
    case .paymentIntent: "payment_intent"
    case .paymentLink: "payment_link"
    case .subscriptionItem: "subscription_item"
    case .creditNote: "credit_note"
    case .testClock: "test clock"
    default: rawValue
    }
  }

  /// The permission name without `_read` or `_write` (Stripe docs, Stripe Apps: permissions reference).
  var permission: String {
    switch self {
    case .customer: "customer"
    case .product: "product"
    case .price: "plan"
    case .session, .sessionLine: "checkout_session"
    case .paymentLink: "payment_links"
    case .subscription, .subscriptionItem: "subscription"
    case .invoice, .invoiceLine, .invoicePayment: "invoice"
    case .paymentIntent: "payment_intent"
    case .charge, .refund: "charge"
    case .dispute: "dispute"
    case .creditNote: "credit_note"
    case .entitlement: "entitlement"
    case .file: "file"
    case .testClock: "test_clock"
    }
  }

  /// Fields that are looked up so often that an index keeps them.
  var indexed: [String] {
    switch self {
    case .price: ["product"]
    case .session: ["payment_intent", "subscription", "customer", "payment_link", "invoice"]
    case .sessionLine: ["_session"]
    case .subscription: ["customer"]
    case .subscriptionItem: ["subscription"]
    case .invoice: ["_subscription", "customer"]
    case .invoiceLine: ["invoice"]
    case .invoicePayment: ["invoice", "_payment_intent"]
    case .paymentIntent: ["customer"]
    case .charge: ["payment_intent", "customer"]
    case .refund: ["charge", "payment_intent"]
    case .dispute: ["charge", "payment_intent"]
    case .creditNote: ["invoice", "customer"]
    case .entitlement: ["customer"]
    case .customer: ["test_clock"]
    case .product, .paymentLink, .file, .testClock: []
    }
  }

  /// The event that a changed object sends, if Stripe has one.
  var updatedEvent: String? {
    switch self {
    case .customer: "customer.updated"
    case .product: "product.updated"
    case .price: "price.updated"
    case .subscription: "customer.subscription.updated"
    case .invoice: "invoice.updated"
    case .charge: "charge.updated"
    case .refund: "refund.updated"
    case .dispute: "charge.dispute.updated"
    case .creditNote: "credit_note.updated"
    case .paymentLink: "payment_link.updated"
    default: nil
    }
  }

  /// The kind of object an id names, told by its prefix.
  init?(id: String) {
    if id.hasPrefix("py_") {
      self = .charge
    } else if id.hasPrefix("pyr_") {
      self = .refund
    } else if id.hasPrefix("dp_") {
      self = .dispute
    } else if let kind = Kind.allCases.first(where: { id.hasPrefix($0.prefix) }) {
      self = kind
    } else {
      return nil
    }
  }
}
