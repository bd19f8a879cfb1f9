public import Foundation
public import Identity
import JSON
public import StripeAPI

// One call for each object that is read. Answers are raw; the types in `Objects` interpret them.

extension StripeSession {
  // MARK: Checkout

  public func checkoutSession(_ id: Stripe.CheckoutSessionID) async throws(StripeError) -> StripeAnswer {
    try await get(["checkout", "sessions", id.rawValue])
  }

  /// All lines of a session. Neither events nor the session itself contain them.
  public func checkoutSessionLineItems(_ id: Stripe.CheckoutSessionID) async throws(StripeError) -> StripeList {
    try await list(["checkout", "sessions", id.rawValue, "line_items"])
  }

  /// The sessions that made a payment; none if it was made in another way.
  public func checkoutSessions(paymentIntent: Stripe.PaymentIntentID) async throws(StripeError) -> StripeList {
    try await list(["checkout", "sessions"], ["payment_intent": .string(paymentIntent.rawValue)])
  }

  /// The sessions that made a subscription; none if it was made in another way.
  public func checkoutSessions(subscription: Stripe.SubscriptionID) async throws(StripeError) -> StripeList {
    try await list(["checkout", "sessions"], ["subscription": .string(subscription.rawValue)])
  }

  /// The sessions of a buyer, by customer or by the address that the buyer typed, made within a span of time.
  public func checkoutSessions(
    customer: Stripe.CustomerID?, email: String?, created: ClosedRange<Date>
  ) async throws(StripeError) -> StripeList {
    let parameters = FormParameters()
      .adding("customer", (customer?.rawValue).map(FormValue.string))
      .adding("customer_details", customer == nil ? email.map { ["email": .string($0)] } : nil)
      .adding(
        "created",
        [
          "gte": .integer(created.lowerBound.wholeUnixSeconds), "lte": .integer(created.upperBound.wholeUnixSeconds),
        ])
    return try await list(["checkout", "sessions"], parameters)
  }

  /// The sessions behind an invoice, found through its payments, since there is no filter by invoice. A session in payment
  /// mode with an invoice can be found only in this way.
  public func checkoutSessions(invoice: Stripe.InvoiceID) async throws(StripeError) -> StripeList {
    let payments = try await invoicePayments(invoice: invoice)
    var sessions = StripeList(items: [], fetchedAt: payments.fetchedAt, took: payments.took)
    for payment in payments.items {
      guard let intent: Stripe.PaymentIntentID = ObjectReader.id(payment["payment"]?["payment_intent"]) else {
        continue
      }
      let found = try await checkoutSessions(paymentIntent: intent)
      sessions = StripeList(items: sessions.items + found.items, fetchedAt: sessions.fetchedAt, took: sessions.took)
    }
    return sessions
  }

  // MARK: Subscriptions

  public func subscription(_ id: Stripe.SubscriptionID) async throws(StripeError) -> StripeAnswer {
    try await get(["subscriptions", id.rawValue])
  }

  /// All items of a subscription; the list inside the subscription may be incomplete.
  public func subscriptionItems(_ id: Stripe.SubscriptionID) async throws(StripeError) -> StripeList {
    try await list(["subscription_items"], ["subscription": .string(id.rawValue)])
  }

  /// All subscriptions of the merchant, including ended ones, newest first, page by page.
  ///
  /// - Parameter createdSince: only those made then or later.
  public func subscriptions(
    customer: Stripe.CustomerID? = nil, createdSince: Date? = nil, cursor: String? = nil, limit: Int = 100
  ) async throws(StripeError) -> StripePage {
    let parameters = FormParameters([("status", "all")])
      .adding("customer", (customer?.rawValue).map(FormValue.string))
      .adding("created", Self.since(createdSince))
    return try await page(["subscriptions"], parameters, cursor: cursor, limit: limit)
  }

  // MARK: Invoices

  public func invoice(_ id: Stripe.InvoiceID) async throws(StripeError) -> StripeAnswer {
    try await get(["invoices", id.rawValue])
  }

  /// All lines of an invoice; the list inside the invoice may be incomplete.
  public func invoiceLines(_ id: Stripe.InvoiceID) async throws(StripeError) -> StripeList {
    try await list(["invoices", id.rawValue, "lines"])
  }

  /// The newest invoices of a subscription, including drafts and void ones: a hundred, more than eight years of months.
  public func invoices(subscription: Stripe.SubscriptionID) async throws(StripeError) -> StripePage {
    try await page(["invoices"], FormParameters([("subscription", .string(subscription.rawValue))]), limit: 100)
  }

  /// The newest credit notes of an invoice, at most a hundred.
  public func creditNotes(invoice: Stripe.InvoiceID) async throws(StripeError) -> StripePage {
    try await page(["credit_notes"], FormParameters([("invoice", .string(invoice.rawValue))]), limit: 100)
  }

  /// The payments of an invoice, including attempts.
  public func invoicePayments(invoice: Stripe.InvoiceID) async throws(StripeError) -> StripeList {
    try await list(["invoice_payments"], ["invoice": .string(invoice.rawValue)])
  }

  /// The invoices that a payment pays: in the new shape, the only way from a payment to its invoice.
  public func invoicePayments(paymentIntent: Stripe.PaymentIntentID) async throws(StripeError) -> StripeList {
    try await list(
      ["invoice_payments"],
      ["payment": ["type": "payment_intent", "payment_intent": .string(paymentIntent.rawValue)]])
  }

  // MARK: Payments

  public func paymentIntent(_ id: Stripe.PaymentIntentID) async throws(StripeError) -> StripeAnswer {
    try await get(["payment_intents", id.rawValue])
  }

  public func charge(_ id: Stripe.ChargeID) async throws(StripeError) -> StripeAnswer {
    try await get(["charges", id.rawValue])
  }

  /// Every charge of a payment, including failed ones.
  public func charges(paymentIntent: Stripe.PaymentIntentID) async throws(StripeError) -> StripeList {
    try await list(["charges"], ["payment_intent": .string(paymentIntent.rawValue)])
  }

  public func refund(_ id: Stripe.RefundID) async throws(StripeError) -> StripeAnswer {
    try await get(["refunds", id.rawValue])
  }

  public func refunds(charge: Stripe.ChargeID) async throws(StripeError) -> StripeList {
    try await list(["refunds"], ["charge": .string(charge.rawValue)])
  }

  public func refunds(paymentIntent: Stripe.PaymentIntentID) async throws(StripeError) -> StripeList {
    try await list(["refunds"], ["payment_intent": .string(paymentIntent.rawValue)])
  }

  public func dispute(_ id: Stripe.DisputeID) async throws(StripeError) -> StripeAnswer {
    try await get(["disputes", id.rawValue])
  }

  public func disputes(charge: Stripe.ChargeID) async throws(StripeError) -> StripeList {
    try await list(["disputes"], ["charge": .string(charge.rawValue)])
  }

  // MARK: Customers and the catalogue

  /// A deleted customer is an answer too, with `deleted: true` and few other fields.
  public func customer(_ id: Stripe.CustomerID) async throws(StripeError) -> StripeAnswer {
    try await get(["customers", id.rawValue])
  }

  public func product(_ id: Stripe.ProductID) async throws(StripeError) -> StripeAnswer {
    try await get(["products", id.rawValue])
  }

  /// The merchant's products, newest first, page by page.
  public func products(
    active: Bool? = nil, cursor: String? = nil, limit: Int = 100
  ) async throws(StripeError) -> StripePage {
    try await page(
      ["products"], FormParameters().adding("active", active.map(FormValue.bool)), cursor: cursor, limit: limit)
  }

  public func price(_ id: Stripe.PriceID) async throws(StripeError) -> StripeAnswer {
    try await get(["prices", id.rawValue])
  }

  /// The merchant's prices, newest first, page by page.
  public func prices(
    product: Stripe.ProductID? = nil, active: Bool? = nil, cursor: String? = nil, limit: Int = 100
  ) async throws(StripeError) -> StripePage {
    let parameters = FormParameters()
      .adding("product", (product?.rawValue).map(FormValue.string))
      .adding("active", active.map(FormValue.bool))
    return try await page(["prices"], parameters, cursor: cursor, limit: limit)
  }

  // MARK: Events

  public func event(_ id: Stripe.EventID) async throws(StripeError) -> StripeAnswer {
    try await get(["events", id.rawValue])
  }

  /// The merchant's events of the last 30 days, newest first, page by page.
  ///
  /// - Parameters:
  ///   - types: at most 20 of them; empty for all.
  ///   - createdSince: only those made then or later.
  public func events(
    types: [StripeEventType] = [], createdSince: Date? = nil, cursor: String? = nil, limit: Int = 100
  ) async throws(StripeError) -> StripePage {
    let parameters = FormParameters()
      .adding("types", types.isEmpty ? nil : .array(types.map { .string($0.rawValue) }))
      .adding("created", Self.since(createdSince))
    return try await page(["events"], parameters, cursor: cursor, limit: limit)
  }

  private static func since(_ date: Date?) -> FormValue? {
    date.map { ["gte": .integer($0.wholeUnixSeconds)] }
  }
}
