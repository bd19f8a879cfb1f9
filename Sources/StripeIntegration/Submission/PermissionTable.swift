/// Which permissions the calls to Stripe need, by the first words of their path (Stripe Apps docs, "Permissions"). A test
/// compares the paths with those of the API client.
enum PermissionTable {
  /// Refunds are read with their charges, prices with plans, and credit notes and payments of invoices with invoices.
  static let reading = [
    "charges": "charge_read", "checkout/sessions": "checkout_session_read", "credit_notes": "invoice_read",
    "customers": "customer_read", "disputes": "dispute_read", "events": "event_read",
    "invoice_payments": "invoice_read", "invoices": "invoice_read", "payment_intents": "payment_intent_read",
    "prices": "plan_read", "products": "product_read", "refunds": "charge_read",
    "subscription_items": "subscription_read", "subscriptions": "subscription_read",
  ]

  static let writing = [
    "checkout/sessions": "checkout_session_write", "customers": "customer_write", "disputes": "dispute_write",
    "files": "file_write", "invoices": "invoice_write", "payment_intents": "payment_intent_write",
    "subscriptions": "subscription_write",
  ]

  /// Read with the developer's own key, so they need no permission from a vendor.
  static let developersOwn: Set = ["account", "apps/installs"]

  /// The permissions that the code uses, and no more: a reviewer rejects an unused one.
  static let used = Set(reading.values).union(writing.values)

  /// What a reader of the listing expects the app to see, and the permission that this needs.
  static let described: [(words: [String], permission: String)] = [
    (["checkout", "payment link", "payment links"], "checkout_session_read"),
    (["customer", "customers"], "customer_read"),
    (["subscription", "subscriptions"], "subscription_read"),
    (["invoice", "invoices"], "invoice_read"),
    (["payment", "payments"], "payment_intent_read"),
    (["refund", "refunds", "refunded"], "charge_read"),
    (["dispute", "disputes", "disputed"], "dispute_read"),
    (["evidence"], "dispute_write"),
    (["pdf"], "file_write"),
    (["product", "products"], "product_read"),
    (["price", "prices"], "plan_read"),
    (["coupon", "coupons"], "coupon_read"),
    (["payout", "payouts"], "payout_read"),
  ]
}
