import Foundation
import Identity
import LicenseKitAPI
import StripeAPI

extension Decider {
  /// A payment without any Stripe object behind it, from a vendor whose own integration says in the metadata what it sells.
  /// - Returns: nil if such payments are no sales for this vendor, or if this one names nothing.
  func decideBarePayment(_ knowledge: Knowledge) -> Decision? {
    let payments = knowledge.paymentsNamed
    // A sale stays a sale when the vendor turns the setting off.
    let wasSold = payments.contains { payment in pinned.keys.contains { $0.line == payment.rawValue } }
    guard settings.barePayments || wasSold else { return nil }
    let unknown = payments.filter { knowledge[FactKey($0)] == nil }
    guard unknown.isEmpty else { return Decision(status: .pending, questions: unknown.map(Question.paymentIntent)) }
    guard let payment = payments.first(where: { knowledge.paymentIntent($0)?.sale != nil }) else { return nil }
    var decision = decidePayment(payment, knowledge)
    decision.root = .payment(payment)
    return decision
  }

  /// A payment of an invoice that bills several subscriptions sells nothing by itself. What became of its money is found out
  /// once, here, and judged in the purchase of each subscription.
  func decideSharedInvoice(_ invoice: Stripe.Invoice, _ knowledge: Knowledge) -> Decision {
    var questions = knowledge.moneyQuestions + knowledge.unlinkedPaymentQuestions
    if invoice.hasMoreLines { questions.append(.invoice(invoice.id)) }
    let sharers = Set(knowledge.sharedInvoices.flatMap(\.subscriptions)).sorted()
    return Decision(
      status: questions.isEmpty ? .ended : .pending,
      reason:
        "What invoice \(invoice.id) bills belongs to subscriptions, each of which is a purchase of its own: "
        + "\(invoice.subscriptions.map(\.rawValue).sorted().listed).",
      questions: Knowledge.unique(questions), sharers: sharers)
  }

  func decidePayment(_ id: Stripe.PaymentIntentID, _ knowledge: Knowledge) -> Decision {
    guard let intent = knowledge.paymentIntent(id), let sale = intent.sale else {
      return Decision(status: .pending, questions: [.paymentIntent(id)])
    }
    switch intent.status {
    case "succeeded": break
    case "canceled": return Decision(status: .ended, reason: "The payment was canceled; nothing was sold.")
    default: return Decision(status: .waitingPayment, reason: "The payment is not complete.")
    }
    guard let quantity = sale.quantity else {
      return Decision(
        status: .failed,
        reason:
          "The payment's metadata has a \(Stripe.NamedSale.quantityKey) that is not a whole number of one or more.")
    }
    var questions = knowledge.moneyQuestions
    // Most mappings are of products, but the metadata may name only the price.
    if let price = sale.price, sale.product == nil, knowledge[FactKey(price)] == nil { questions.append(.price(price)) }
    if let customer = intent.customer, knowledge[FactKey(customer)] == nil { questions.append(.customer(customer)) }
    let line = SoldLine(
      key: id.rawValue, price: sale.price,
      product: sale.product ?? sale.price.flatMap { knowledge.price($0)?.product }, quantity: quantity)
    questions += paymentDateQuestions(id, [line], knowledge)
    guard questions.isEmpty else { return Decision(status: .pending, questions: Knowledge.unique(questions)) }

    let customer = customer(
      stripe: intent.customer, guest: id.rawValue, email: intent.receiptEmail, name: nil,
      known: intent.customer.flatMap { knowledge[FactKey($0)] })
    let charges = knowledge.charges.filter { $0.paymentIntent == id }
    let money = knowledge.reversals(on: charges)
    let paidAt = charges.filter(\.isPaid).map(\.created).min() ?? intent.created
    var decision = decision(lines: [line], customer: customer) { line, pinnedTerms in
      oneTimeLine(
        line, pinnedTerms, source: id.rawValue,
        entitlement: knowledge.entitlement(
          of: Ledger.Entry(line, paidAt: paidAt, money), money: money, terms: pinnedTerms.terms, now: now))
    }
    decision.payment = id
    return decision
  }
}
