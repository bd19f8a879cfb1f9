import JSON

/// Scenarios by name: what buyers, merchants and banks do. Each returns the ids it made or changed.
enum Scenarios {
  static func run(_ name: String, _ body: Fields, _ tenant: Tenant) throws(StripeFailure) -> Fields {
    switch name {
    case "sell": return try sell(body, tenant)
    case "subscribe": return try subscribe(body, tenant)
    case "open_session": return fields(["session": .string(tenant.openSession(try sessionDraft(body, tenant)))])
    case "complete_session": return try completeSession(body, tenant)
    case "expire_session":
      tenant.expireSession(try session(body, tenant))
      return try sessionIDs(try session(body, tenant), tenant)
    case "async_succeed", "async_fail":
      let id = try session(body, tenant)
      try tenant.finishDelayedPayment(id, succeeds: name == "async_succeed")
      return try sessionIDs(id, tenant)
    case "renew", "fail", "recover", "cancel", "undo_cancel", "change", "replace", "schedule", "pause",
      "pause_subscription", "resume", "end_trial":
      return try SubscriptionScenarios.run(name, body, tenant)
    case "refund", "settle_refund", "fail_refund", "dispute", "update_dispute", "close_dispute", "credit_note",
      "void_credit_note":
      return try ReversalScenarios.run(name, body, tenant)
    case "bare_payment": return try barePayment(body, tenant)
    case "capture", "cancel_payment": return try capture(body, tenant, cancels: name == "cancel_payment")
    case "invoice": return try invoice(body, tenant)
    case "delete_customer":
      let id = body.text("customer") ?? ""
      _ = try tenant.require(.customer, id, parameter: "customer")
      tenant.deleteCustomer(id)
      return fields(["customer": .string(id)])
    case "entitlements": return try entitlements(body, tenant)
    default: throw StripeFailure(status: 404, message: "No such scenario: \(name)")
    }
  }

  private static func session(_ body: Fields, _ tenant: Tenant) throws(StripeFailure) -> String {
    guard let id = body.text("session") else { throw .requiredParameter("session") }
    _ = try tenant.require(.session, id, parameter: "session")
    return id
  }

  /// `lines`, or `price` and `quantity` for one line, or those of a payment link.
  private static func lines(_ body: Fields, _ tenant: Tenant) throws(StripeFailure) -> [LineDraft] {
    if body["lines"] != nil { return try Routes.lineDrafts(body, "lines", tenant) }
    if let price = body.text("price") {
      _ = try tenant.require(.price, price, parameter: "price")
      return [LineDraft(price: price, quantity: body.number("quantity") ?? 1)]
    }
    if let link = body.text("payment_link") {
      return try tenant.require(.paymentLink, link, parameter: "payment_link").array("_lines").compactMap {
        LineDraft($0)
      }
    }
    throw .requiredParameter("lines")
  }

  private static func sessionDraft(_ body: Fields, _ tenant: Tenant) throws(StripeFailure) -> SessionDraft {
    var lines = try lines(body, tenant)
    if let count = body.number("repeat_lines"), let first = lines.first {
      lines = (0..<count).map { _ in first }
    }
    let version = body.text("api_version").flatMap { APIVersion($0) } ?? tenant.merchant.apiVersion
    var draft = SessionDraft(lines: lines, version: version)
    let hasRecurring = lines.contains { tenant.find(.price, $0.price)?.text("type") == "recurring" }
    draft.mode = hasRecurring ? "subscription" : "payment"
    draft.metadata = body.object("metadata") ?? Fields([])
    draft.subscriptionMetadata = body.object("subscription_metadata") ?? Fields([])
    draft.paymentIntentMetadata = body.object("payment_intent_metadata") ?? Fields([])
    draft.invoiceCreation = body.bool("invoice_creation")
    draft.trialDays = body.number("trial_days")
    draft.discountPercent = min(100, max(0, body.number("discount_percent") ?? 0))
    draft.clientReferenceID = body.text("client_reference_id")
    draft.captureMethod = body.text("capture_method") ?? "automatic"
    draft.isManaged = body.bool("managed_payments")
    draft.isFlexible = body.text("billing_mode").map { $0 == "flexible" }
    draft.collectionMethod = body.text("collection_method") ?? "charge_automatically"
    draft.paymentLink = body.text("payment_link")
    if let link = draft.paymentLink {
      let fields = try tenant.require(.paymentLink, link, parameter: "payment_link")
      if body["metadata"] == nil { draft.metadata = fields.object("metadata") ?? Fields([]) }
      if fields.object("invoice_creation")?.bool("enabled") == true { draft.invoiceCreation = true }
      draft.trialDays = draft.trialDays ?? fields.number("_trial_days")
    }
    switch body["customer"] {
    case .string("guest"), nil, .null: draft.customer = nil
    case .string("new"): draft.customerCreation = true
    case .string(let id):
      _ = try tenant.require(.customer, id, parameter: "customer")
      draft.customer = id
    default: throw .invalid("customer is guest, new or an id", parameter: "customer")
    }
    if draft.customer == nil, let clock = body.text("test_clock") {
      _ = try tenant.require(.testClock, clock, parameter: "test_clock")
      let payer = completion(body).payer
      draft.customer = tenant.createCustomer(email: payer.email, name: payer.name, testClock: clock)
    }
    return draft
  }

  private static func completion(_ body: Fields) -> SessionCompletion {
    var completion = SessionCompletion()
    if let email = body.text("email") { completion.payer.email = email }
    if let name = body.text("buyer_name") { completion.payer.name = name }
    completion.isDelayed = body.bool("delayed")
    return completion
  }

  /// A one-off sale through Checkout or a payment link.
  private static func sell(_ body: Fields, _ tenant: Tenant) throws(StripeFailure) -> Fields {
    let id = tenant.openSession(try sessionDraft(body, tenant))
    try tenant.completeSession(id, completion(body))
    return try sessionIDs(id, tenant)
  }

  /// A subscription, through Checkout or (with `"via": "api"`) made by the merchant's own backend.
  private static func subscribe(_ body: Fields, _ tenant: Tenant) throws(StripeFailure) -> Fields {
    if body.text("via") != "api", !body.bool("first_payment_fails"), body["collection_method"] == nil {
      let ids = try sell(body, tenant)
      try applyTrialEnd(body, ids, tenant)
      return ids
    }
    let draft = try sessionDraft(body, tenant)
    let payer = completion(body).payer
    let customer = draft.customer ?? tenant.createCustomer(email: payer.email, name: payer.name)
    let subscription = tenant.startSubscription(
      SubscriptionDraft(
        customer: customer, lines: draft.lines, trialDays: draft.trialDays, discountPercent: draft.discountPercent,
        metadata: draft.subscriptionMetadata, payer: payer, createsBeforePayment: true,
        firstPaymentFails: body.bool("first_payment_fails"),
        isFlexible: draft.isFlexible ?? draft.version.isFlexible, collectionMethod: draft.collectionMethod))
    let ids = subscriptionIDs(subscription, tenant)
    try applyTrialEnd(body, ids, tenant)
    return ids
  }

  /// `"trial_end_behavior": "pause"`: the trial ends without a payment method.
  private static func applyTrialEnd(_ body: Fields, _ ids: Fields, _ tenant: Tenant) throws(StripeFailure) {
    guard body.text("trial_end_behavior") == "pause", let subscription = ids.text("subscription") else { return }
    tenant.edit(.subscription, subscription) { $0["_needs_method"] = true }
  }

  private static func completeSession(_ body: Fields, _ tenant: Tenant) throws(StripeFailure) -> Fields {
    let id = try session(body, tenant)
    try tenant.completeSession(id, completion(body))
    return try sessionIDs(id, tenant)
  }

  /// Every id that belongs to a session.
  static func sessionIDs(_ id: String, _ tenant: Tenant) throws(StripeFailure) -> Fields {
    let session = try tenant.require(.session, id)
    var ids = fields([
      "session": .string(id), "customer": str(session.text("customer")),
      "line_items": strings(tenant.sessionLines(id).compactMap { $0.text("id") }),
      "payment_link": str(session.text("payment_link")), "invoice": str(session.text("invoice")),
      "payment_intent": str(session.text("payment_intent")),
    ])
    if let intent = session.text("payment_intent") {
      ids["charge"] = str(tenant.find(.paymentIntent, intent)?.text("latest_charge"))
    }
    if let subscription = session.text("subscription") {
      for (key, value) in subscriptionIDs(subscription, tenant) { ids[key] = value }
    }
    return ids
  }

  /// Every id that belongs to a subscription and its newest invoice.
  static func subscriptionIDs(_ id: String, _ tenant: Tenant) -> Fields {
    let subscription = tenant.find(.subscription, id) ?? Fields([])
    let invoice = subscription.text("latest_invoice")
    return fields([
      "subscription": .string(id), "status": str(subscription.text("status")),
      "customer": str(subscription.text("customer")),
      "items": strings(tenant.items(id).compactMap { $0.text("id") }), "invoice": str(invoice),
      "invoice_status": str(invoice.flatMap { tenant.find(.invoice, $0)?.text("status") }),
      "payment_intent": str(invoice.flatMap { tenant.find(.invoice, $0)?.text("_payment_intent") }),
      "charge": str(invoice.flatMap { tenant.find(.invoice, $0)?.text("_charge") }),
      "current_period_end": .integer(tenant.periodEnd(id)), "now": .integer(tenant.now),
    ])
  }

  /// A PaymentIntent of the merchant's own integration: no session, no invoice, only metadata.
  private static func barePayment(_ body: Fields, _ tenant: Tenant) throws(StripeFailure) -> Fields {
    let payer = completion(body).payer
    let intent = tenant.createPaymentIntent(
      amount: body.number("amount") ?? 1000, currency: body.text("currency") ?? tenant.merchant.currency,
      customer: body.text("customer"), receiptEmail: payer.email, metadata: body.object("metadata") ?? Fields([]),
      capture: body.text("capture_method") ?? "automatic")
    if body.text("capture_method") == "manual" {
      let charge = tenant.hold(intent, payer: payer)
      return fields(["payment_intent": .string(intent), "charge": .string(charge)])
    }
    if body.bool("fails") {
      let charge = tenant.failPayment(intent, payer: payer)
      return fields(["payment_intent": .string(intent), "charge": .string(charge)])
    }
    let charge = tenant.succeed(intent, payer: payer)
    tenant.settle(charge)
    return fields(["payment_intent": .string(intent), "charge": .string(charge)])
  }

  /// Takes money that is held, or a part of it, or lets go of it.
  private static func capture(_ body: Fields, _ tenant: Tenant, cancels: Bool) throws(StripeFailure) -> Fields {
    let session = body.text("session")
    let intent = body.text("payment_intent") ?? session.flatMap { tenant.find(.session, $0)?.text("payment_intent") }
    guard let intent else { throw .requiredParameter("payment_intent") }
    if cancels {
      try tenant.cancelIntent(intent)
    } else {
      try tenant.capture(intent, amount: body.number("amount"))
    }
    return fields([
      "payment_intent": .string(intent), "charge": str(tenant.find(.paymentIntent, intent)?.text("latest_charge")),
      "session": str(session),
    ])
  }

  /// A one-off invoice. `then`: `draft`, `open`, `paid` (default), `out_of_band`, `void`, `uncollectible`. With `invoice`
  /// an existing one moves on.
  private static func invoice(_ body: Fields, _ tenant: Tenant) throws(StripeFailure) -> Fields {
    let id: String
    if let existing = body.text("invoice") {
      _ = try tenant.require(.invoice, existing, parameter: "invoice")
      id = existing
    } else {
      let payer = completion(body).payer
      let drafts = try lines(body, tenant).map { line in
        InvoiceLineDraft(
          price: line.price, quantity: line.quantity, amount: tenant.amount(line.price, line.quantity),
          periodStart: tenant.now, periodEnd: tenant.now)
      }
      let customer = body.text("customer") ?? tenant.createCustomer(email: payer.email, name: payer.name)
      id = tenant.createInvoice(
        customer: customer, subscription: nil, reason: "manual", lines: drafts, automatic: false,
        collection: body.text("collection_method") ?? "send_invoice", metadata: body.object("metadata") ?? Fields([]))
    }
    let then = body.text("then") ?? "paid"
    if then != "draft" { tenant.finalizeInvoice(id) }
    switch then {
    case "draft", "open": break
    case "paid": tenant.payInvoice(id)
    case "out_of_band": tenant.payOutOfBand(id)
    case "void": tenant.voidInvoice(id)
    case "uncollectible": tenant.markUncollectible(id)
    default: throw .invalid("then is draft, open, paid, out_of_band, void or uncollectible", parameter: "then")
    }
    let invoice = tenant.find(.invoice, id) ?? Fields([])
    return fields([
      "invoice": .string(id), "status": str(invoice.text("status")), "customer": str(invoice.text("customer")),
      "lines": strings(tenant.lines(id).compactMap { $0.text("id") }),
      "payment_intent": str(invoice.text("_payment_intent")), "charge": str(invoice.text("_charge")),
    ])
  }

  /// Replaces a customer's active entitlements: `entitlements.active_entitlement_summary.updated`.
  private static func entitlements(_ body: Fields, _ tenant: Tenant) throws(StripeFailure) -> Fields {
    guard let customer = body.text("customer") else { throw .requiredParameter("customer") }
    _ = try tenant.require(.customer, customer, parameter: "customer")
    for former in tenant.all(.entitlement, where: "customer", is: customer).compactMap({ $0.text("id") }) {
      tenant.remove(.entitlement, former)
    }
    var made: [JSONValue] = []
    for key in body.texts("lookup_keys") {
      let id = tenant.newID(.entitlement)
      let entitlement = fields([
        "id": .string(id), "object": "entitlements.active_entitlement", "feature": .string("feat_" + key),
        "livemode": flag(tenant.livemode), "lookup_key": .string(key), "customer": .string(customer),
      ])
      tenant.insert(.entitlement, id, entitlement)
      made.append(.object(entitlement))
    }
    let summary = fields([
      "object": "entitlements.active_entitlement_summary", "customer": .string(customer),
      "entitlements": tenant.embeddedList(made, url: "/v1/customer/\(customer)/entitlements"),
      "livemode": flag(tenant.livemode),
    ])
    tenant.emit(
      "entitlements.active_entitlement_summary.updated", Rendering(id: customer, old: summary, new: summary),
      previous: nil)
    return fields(["customer": .string(customer)])
  }
}
