import JSON
import ServerKit

/// The hosted payment page, `/c/pay/cs_…`, and the payment link that leads to it, `/buy/plink_…`.
enum CheckoutPage {
  static func answer(_ call: Call, _ world: World) -> Answer {
    do throws(StripeFailure) {
      switch (call.segments.first, call.segments.count) {
      case ("buy", 2): return try openLink(call.segments[1], world)
      case ("c", 3): return try session(call.segments[2], call, world)
      default: throw StripeFailure(status: 404, message: "There is no such page.")
      }
    } catch {
      let body: HTML = "<main><h1>Not found</h1><p>\(error.message)</p></main>"
      return .html(HTMLPage(title: "Not found", body: body, stylesheet: StyleSheet.path).rendered, status: error.status)
    }
  }

  private static func openLink(_ id: String, _ world: World) throws(StripeFailure) -> Answer {
    let (tenant, _) = try ControlViews.owner(id, world)
    let link = try tenant.require(.paymentLink, id)
    guard link.bool("active") else { throw StripeFailure(status: 404, message: "This payment link is not active.") }
    var draft = SessionDraft(
      lines: link.array("_lines").compactMap { LineDraft($0) }, version: tenant.merchant.apiVersion)
    draft.mode = link.text("_mode") ?? "payment"
    draft.paymentLink = id
    draft.metadata = link.object("metadata") ?? Fields([])
    draft.invoiceCreation = link.object("invoice_creation")?.bool("enabled") ?? false
    draft.trialDays = link.number("_trial_days")
    return .redirect("/c/pay/" + tenant.openSession(draft))
  }

  private static func session(_ id: String, _ call: Call, _ world: World) throws(StripeFailure) -> Answer {
    let (tenant, _) = try ControlViews.owner(id, world)
    let session = try tenant.require(.session, id)
    if call.method == "POST" {
      let form = FormDecoding.decode(String(decoding: call.body, as: UTF8.self)) ?? Fields([])
      if form.text("decision") == "cancel" { return .redirect(session.text("cancel_url") ?? "/c/pay/\(id)") }
      var completion = SessionCompletion()
      if let email = form.text("email"), !email.isEmpty { completion.payer.email = email }
      if let name = form.text("name"), !name.isEmpty { completion.payer.name = name }
      completion.isDelayed = form.text("decision") == "debit"
      try tenant.completeSession(id, completion)
      let target = session.text("success_url")?.replacing("{CHECKOUT_SESSION_ID}", with: id)
      return .redirect(target ?? "/c/pay/\(id)")
    }
    return .html(page(id, session, tenant))
  }

  private static func page(_ id: String, _ session: Fields, _ tenant: Tenant) -> String {
    let currency = (session.text("currency") ?? "").uppercased()
    let lines: [HTML] = tenant.sessionLines(id).map { line in
      "<li>\(line.number("quantity") ?? 1) × \(line.text("description") ?? "item"): \(price(line.number("amount_total"), currency))</li>"
    }
    let total: HTML = "<p><strong>Total: \(price(session.number("amount_total"), currency))</strong></p>"
    let form: HTML
    if session.text("status") == "open" {
      form = """
        <form method="post"><p><label>E-mail <input name="email" type="email" value="buyer@example.com"></label></p>\
        <p><label>Name <input name="name" value="Buyer"></label></p>\
        <button name="decision" value="pay">Pay by card</button> <button name="decision" value="debit">Pay by bank debit</button> \
        <button name="decision" value="cancel">Back to the shop</button></form>
        """
    } else {
      form = "<p>This session is \(session.text("status") ?? ""), payment: \(session.text("payment_status") ?? "").</p>"
    }
    return HTMLPage(
      title: "Pay \(tenant.merchant.name)",
      body: "<main><h1>\(tenant.merchant.name)</h1><ul>\(lines)</ul>\(total)\(form)</main>",
      stylesheet: StyleSheet.path
    ).rendered
  }

  /// An amount in the smallest unit as people write it.
  private static func price(_ amount: Int64?, _ currency: String) -> String {
    let amount = amount ?? 0
    if ["JPY", "KRW", "VND", "CLP", "ISK", "UGX", "XAF", "XOF", "XPF"].contains(currency) {
      return "\(amount) \(currency)"
    }
    let cents = amount % 100
    return "\(amount / 100).\(cents < 10 ? "0" : "")\(cents) \(currency)"
  }
}
