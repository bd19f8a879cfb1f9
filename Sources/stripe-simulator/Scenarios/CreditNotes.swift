import JSON

/// What a credit note gives back, and by which way.
struct CreditDraft {
  var amount: Int64
  var refund: String?
  /// To the customer's balance at Stripe.
  var credited: Int64 = 0
  /// Outside Stripe: a transfer back, cash.
  var outOfBand: Int64 = 0
}

extension Tenant {
  /// A credit note over an invoice: `credit_note.created`, `invoice.updated`. Of an open invoice less is owed; of a paid one
  /// money is given back.
  func createCreditNote(invoice id: String, _ draft: CreditDraft) throws(StripeFailure) -> String {
    let invoice = try require(.invoice, id, parameter: "invoice")
    let isPaid = invoice.text("status") == "paid"
    guard ["open", "paid", "uncollectible"].contains(invoice.text("status") ?? "") else {
      throw .invalid("A credit note needs an invoice that is open or paid.", parameter: "invoice")
    }
    let former = invoice.number("pre_payment_credit_notes_amount") ?? 0
    let given = invoice.number("post_payment_credit_notes_amount") ?? 0
    guard draft.amount > 0, former + given + draft.amount <= max(0, invoice.number("total") ?? 0) else {
      throw .invalid("The credit note is greater than what is left of the invoice.", parameter: "amount")
    }
    let note = newID(.creditNote)
    let balance: JSONValue = draft.credited > 0 ? .string(world.newID("cbtxn_")) : .null
    let outOfBand: JSONValue = draft.outOfBand > 0 ? .integer(draft.outOfBand) : .null
    let (currency, customer) = (invoice["currency"] ?? .null, invoice["customer"] ?? .null)
    let number = "SIM-CN-\(world.nextSerial())"
    let (before, after): (Int64, Int64) = isPaid ? (0, draft.amount) : (draft.amount, 0)
    insert(
      .creditNote, note,
      fields([
        "id": .string(note), "object": "credit_note", "amount": .integer(draft.amount), "created": .integer(now),
        "currency": currency, "customer": customer, "customer_balance_transaction": balance, "invoice": .string(id),
        "livemode": flag(livemode), "memo": .null, "metadata": object([:]), "number": .string(number),
        "out_of_band_amount": outOfBand, "post_payment_amount": .integer(after), "pre_payment_amount": .integer(before),
        "reason": "order_change", "status": "issued", "subtotal": .integer(draft.amount),
        "total": .integer(draft.amount), "type": .string(isPaid ? "post_payment" : "pre_payment"),
        "voided_at": .null, "_refund": str(draft.refund),
      ]))
    emit("credit_note.created", .creditNote, note)
    if draft.credited > 0 { changeBalance(of: invoice.text("customer"), by: -draft.credited) }
    book(isPaid ? "post_payment_credit_notes_amount" : "pre_payment_credit_notes_amount", draft.amount, on: id)
    return note
  }

  /// Takes a credit note back: `credit_note.voided`, `invoice.updated`.
  func voidCreditNote(_ id: String) throws(StripeFailure) {
    let note = try require(.creditNote, id)
    guard note.text("status") == "issued" else {
      throw .invalid("You can only void an issued credit note.", parameter: nil)
    }
    edit(.creditNote, id) { $0.merge(["status": "void", "voided_at": .integer(now)]) }
    emit("credit_note.voided", .creditNote, id)
    let isPostPayment = note.text("type") == "post_payment"
    book(
      isPostPayment ? "post_payment_credit_notes_amount" : "pre_payment_credit_notes_amount",
      -(note.number("amount") ?? 0), on: note.text("invoice") ?? "")
  }

  private func book(_ field: String, _ amount: Int64, on invoice: String) {
    update(.invoice, invoice, event: "invoice.updated") {
      edit(.invoice, invoice) {
        $0[field] = .integer(($0.number(field) ?? 0) + amount)
        guard field.hasPrefix("pre_") else { return }
        let due = max(0, ($0.number("amount_due") ?? 0) - amount)
        $0.merge(["amount_due": .integer(due), "amount_remaining": .integer(due)])
      }
    }
    if let fields = find(.invoice, invoice), fields.text("status") == "open", fields.number("amount_due") == 0 {
      markPaid(invoice, charge: nil)
    }
  }

  /// Negative is credit. `customer.updated`.
  func changeBalance(of customer: String?, by amount: Int64) {
    guard let customer, amount != 0 else { return }
    update(.customer, customer, event: "customer.updated") {
      edit(.customer, customer) { $0["balance"] = .integer(($0.number("balance") ?? 0) + amount) }
    }
  }
}
