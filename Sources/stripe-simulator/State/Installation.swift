import JSON

/// The app on one merchant's account in one environment.
struct Installation: Sendable {
  struct Key: Hashable, Sendable {
    var account: String
    var environment: Environment
  }

  var key: Key
  /// The id of the `apps.install`.
  var id: String
  /// Its place in lists.
  var serial: Int64
  var clientID: String
  var appID: String
  /// What the merchant granted; nil is everything.
  var permissions: Set<String>?
  /// What the app's newest version asks for and the merchant has not granted yet.
  var pending: Set<String> = []
  /// The merchant has to agree before `pending` is granted.
  var isApprovalRequired = false
  var isActive: Bool
  var installedAt: Int64

  /// Whether the app may do this; some permissions imply others (Stripe docs, Stripe Apps: permissions reference).
  func allows(_ permission: String) -> Bool {
    guard let permissions else { return !pending.contains(permission) }
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

  /// Whether the app gets events of this type (Stripe docs, Stripe Apps: event permissions).
  func hears(_ type: String) -> Bool {
    guard allows("event_read") else { return false }
    if (permissions == nil && pending.isEmpty) || Self.isAbout(type) { return true }
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

  /// Whether events of this type are about installations themselves. They arrive even after the installation has ended.
  static func isAbout(_ type: String) -> Bool {
    type.hasPrefix("account.application.") || type.hasPrefix("apps.install.")
  }

  /// What "everything" stands for where Stripe lists the permissions one by one.
  static let everything: [String] =
    Set(Kind.allCases.map(\.permission))
    .union(["connected_account"]).flatMap { [$0 + "_read", $0 + "_write"] }
    .filter { $0 != "connected_account_write" } + ["event_read"]
}

extension Installation {
  enum Status: String, Sendable {
    case installed
    case uninstalling
  }

  /// The `apps.install` (Stripe docs, API: app installs). A removed install has no status of its own: its last status is
  /// `uninstalling`.
  func shown() -> Fields {
    let granted = permissions ?? Set(Self.everything).subtracting(pending)
    return Self.shown(
      id: id, account: key.account, app: appID, created: installedAt, environment: key.environment, granted: granted,
      pending: pending, isApprovalRequired: isApprovalRequired, status: isActive ? .installed : .uninstalling)
  }

  static func shown(
    id: String, account: String, app: String, created: Int64, environment: Environment, granted: Set<String>,
    pending: Set<String> = [], isApprovalRequired: Bool = false, status: Status
  ) -> Fields {
    let policy = object(["connect_src": [], "image_src": []])
    return record([
      "id": .string(id), "object": "apps.install", "account": .string(account), "app": .string(app),
      "approval_required": flag(isApprovalRequired), "auth_code": .null, "channel": "public",
      "content_security_policy_granted": policy, "content_security_policy_pending": policy,
      "created": .integer(created), "created_by": .null, "endpoints_granted": [], "endpoints_pending": [],
      "livemode": flag(environment.livemode), "permissions_granted": strings(granted.sorted()),
      "permissions_pending": strings(pending.sorted()), "status": .string(status.rawValue),
    ])
  }

  /// The same in every version, because the object is as new as the newest one.
  var rendering: Rendering {
    let fields = shown()
    return Rendering(id: id, old: fields, new: fields)
  }

  static func prefix(_ environment: Environment) -> String { environment.livemode ? "appinst_" : "appinst_test_" }
}
