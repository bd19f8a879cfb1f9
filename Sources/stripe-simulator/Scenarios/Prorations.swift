import JSON

/// What happens with the money if something changes in the middle of a period (Stripe docs, Billing: prorations).
enum Prorating: String {
  /// Nothing is charged or credited.
  case none
  /// The lines wait for the next invoice: Stripe's default.
  case pending = "create_prorations"
  /// An invoice at once.
  case invoice = "always_invoice"

  /// - Throws: a 400 for a word that Stripe does not know.
  init(_ parameter: String?, otherwise: Prorating = .pending) throws(StripeFailure) {
    guard let parameter else {
      self = otherwise
      return
    }
    guard let known = Prorating(rawValue: parameter) else {
      throw .invalid(
        "Invalid proration_behavior: must be one of always_invoice, create_prorations, or none",
        parameter: "proration_behavior")
    }
    self = known
  }
}

extension Tenant {
  /// Changes the items of a subscription, or its dates: one `customer.subscription.updated`, and the resulting lines on an
  /// invoice as asked.
  func change(_ subscription: String, _ prorating: Prorating, _ change: () -> [InvoiceLineDraft]) {
    var invoice: String?
    let end = periodEnd(subscription)
    update(.subscription, subscription, event: "customer.subscription.updated") {
      let lines = change()
      let status = find(.subscription, subscription)?.text("status") ?? ""
      guard !lines.isEmpty, ["active", "past_due", "unpaid"].contains(status) else { return }
      switch prorating {
      case .none: break
      case .pending: keepPending(lines, of: subscription)
      case .invoice:
        let made = createInvoice(
          customer: find(.subscription, subscription)?.text("customer"), subscription: subscription,
          reason: "subscription_update", lines: takePending(of: subscription) + lines,
          collection: find(.subscription, subscription)?.text("collection_method") ?? "charge_automatically")
        edit(.subscription, subscription) { $0["latest_invoice"] = .string(made) }
        invoice = made
      }
    }
    if let invoice {
      finalizeInvoice(invoice)
      attemptInvoice(invoice)
    }
    if periodEnd(subscription) != end { planPeriodEnd(subscription) }
  }

  /// The credit for an item: its price and quantity, from now to the end of what was billed.
  func unusedTime(_ item: Fields) -> InvoiceLineDraft? { proration(item, sign: -1, "Unused time") }

  /// What an item costs from now to the end of its period.
  func remainingTime(_ item: Fields) -> InvoiceLineDraft? { proration(item, sign: 1, "Remaining time") }

  private func proration(_ item: Fields, sign: Int64, _ what: String) -> InvoiceLineDraft? {
    guard let start = item.number("_period_start"), let end = item.number("_period_end"), end > start, end > now,
      let price = item.text("_price")
    else { return nil }
    let quantity = item.number("quantity") ?? 1
    let name = find(.price, price)?.text("product").flatMap { find(.product, $0)?.text("name") } ?? "item"
    return InvoiceLineDraft(
      price: price, quantity: quantity, amount: sign * amount(price, quantity) * (end - now) / (end - start),
      item: item.text("id"), subscription: item.text("subscription"), isProration: true, periodStart: now,
      periodEnd: end, description: "\(what) on \(quantity) × \(name)")
  }

  func keepPending(_ lines: [InvoiceLineDraft], of subscription: String) {
    edit(.subscription, subscription) { $0["_pending"] = .array($0.array("_pending") + lines.map(\.value)) }
  }

  /// Takes the lines that waited for an invoice; none waits afterwards.
  func takePending(of subscription: String) -> [InvoiceLineDraft] {
    let lines = find(.subscription, subscription)?.array("_pending") ?? []
    if !lines.isEmpty { edit(.subscription, subscription) { $0["_pending"] = [] } }
    return lines.compactMap { $0.asObject.map(InvoiceLineDraft.init(saved:)) }
  }
}

extension InvoiceLineDraft {
  fileprivate var value: JSONValue {
    object([
      "price": .string(price), "quantity": .integer(quantity), "amount": .integer(amount), "item": str(item),
      "subscription": str(subscription), "proration": flag(isProration), "start": .integer(periodStart),
      "end": .integer(periodEnd), "description": str(description),
    ])
  }

  fileprivate init(saved: Fields) {
    self.init(
      price: saved.text("price") ?? "", quantity: saved.number("quantity") ?? 1, amount: saved.number("amount") ?? 0,
      item: saved.text("item"), subscription: saved.text("subscription"), isProration: saved.bool("proration"),
      periodStart: saved.number("start") ?? 0, periodEnd: saved.number("end") ?? 0,
      description: saved.text("description"))
  }
}
