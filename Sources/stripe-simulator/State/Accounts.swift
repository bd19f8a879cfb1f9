/// The developer's credentials in one environment: one secret key, one app client.
struct Developer: Sendable {
  var livemode: Bool
  var secretKey: String
  var clientID: String
  var name: String
  /// Empty accepts every redirect address, which only a simulator does.
  var redirectURIs: [String]
  /// What an install grants; nil grants everything.
  var permissions: Set<String>?
}

/// A merchant's Stripe account and the settings that decide how its objects behave.
struct Merchant: Sendable {
  var id: String
  var name: String
  var email: String
  var country: String
  var currency: String
  /// The account's default version: events fetched later, application events, and the behaviour of Checkout follow it.
  var apiVersion: APIVersion
  var dunning: Dunning
  /// The merchant's own keys, by mode: what the shop's backend would use.
  var liveKey: String
  var testKey: String
}

/// What the merchant's billing settings do with a renewal that fails (Stripe docs, Billing: subscription overview).
struct Dunning: Sendable {
  enum Outcome: String, Sendable {
    case canceled, unpaid
    case pastDue = "past_due"
  }
  var outcome: Outcome = .canceled
  /// Days between one attempt and the next.
  var retryDays: [Int64] = [3, 5, 7]
}

/// The app on one merchant's account in one mode.
struct Installation: Sendable {
  struct Key: Hashable, Sendable {
    var account: String
    var livemode: Bool
  }

  var key: Key
  var clientID: String
  var permissions: Set<String>?
  var isActive: Bool
  var installedAt: Int64

  /// Whether the app may do this; some permissions imply others (Stripe docs, Stripe Apps: permissions reference).
  func allows(_ permission: String) -> Bool {
    guard let permissions else { return true }
    if permissions.contains(permission) { return true }
    if permission.hasSuffix("_read") {
      let write = permission.dropLast("read".count) + "write"
      if permissions.contains(String(write)) { return true }
    }
    return (Self.impliedBy[permission] ?? []).contains(where: permissions.contains)
  }

  private static let impliedBy: [String: [String]] = [
    "payment_intent_read": ["checkout_session_read"],
    "payment_links_read": ["checkout_session_read"],
    "product_read": ["checkout_session_read", "payment_intent_read", "plan_read"],
    "invoice_read": ["credit_note_read"],
    "credit_note_read": ["invoice_read"],
  ]

  /// Whether the app hears of this event type (Stripe docs, Stripe Apps: event permissions).
  func hears(_ type: String) -> Bool {
    guard allows("event_read") else { return false }
    if permissions == nil || type.hasPrefix("account.application.") { return true }
    let table: [(String, [String])] = [
      ("checkout.session.", ["checkout_session_read"]),
      ("customer.subscription.", ["subscription_read", "quote_read"]),
      ("subscription_schedule.", ["subscription_read", "quote_read"]),
      ("customer.", ["customer_read"]),
      ("invoice", ["invoice_read", "credit_note_read", "quote_read"]),
      ("credit_note.", ["invoice_read", "credit_note_read", "quote_read"]),
      ("payment_intent.", ["payment_intent_read", "checkout_session_read"]),
      ("charge.dispute.", ["dispute_read"]),
      ("charge.", ["charge_read"]),
      ("refund.", ["charge_read"]),
      ("price.", ["plan_read"]),
      (
        "product.",
        ["product_read", "checkout_session_read", "payment_intent_read", "payment_links_read", "quote_read"]
      ),
      ("payment_link.", ["payment_links_read"]),
      ("entitlements.", ["entitlement_read"]),
      ("account.", ["connected_account_read"]),
    ]
    guard let row = table.first(where: { type.hasPrefix($0.0) }) else { return true }
    return row.1.contains(where: allows)
  }
}

/// A webhook endpoint of the developer's account.
struct Endpoint: Sendable {
  var id: String
  var url: String
  /// The newest first; every one signs while a secret is being rolled.
  var secrets: [String]
  var livemode: Bool
  /// Nil: the developer account's default, the newest the simulator knows.
  var apiVersion: APIVersion?
  /// Listens to connected accounts. An endpoint without it hears only the developer's own events: none here.
  var connect: Bool
  var enabledEvents: [String]
  var isEnabled: Bool

  var version: APIVersion { apiVersion ?? .newest }

  func wants(_ type: String) -> Bool { enabledEvents.contains("*") || enabledEvents.contains(type) }
}
