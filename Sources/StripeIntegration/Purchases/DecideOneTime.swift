import Foundation
import Identity
import LicenseKitAPI
import StripeAPI

extension Decider {
  /// How long a free invoice waits for the Checkout Session that may have made it, in seconds.
  static let patienceForSessions: TimeInterval = 900

  /// A one-time sale through Checkout or a Payment Link.
  func decideCheckout(_ id: Stripe.CheckoutSessionID, _ knowledge: Knowledge) -> Decision {
    guard case .checkoutSession(let session)? = knowledge[FactKey(id)] else {
      return knowledge.isMissing(FactKey(id))
        ? Decision(status: .ended, reason: "Stripe does not know Checkout Session \(id).")
        : Decision(status: .pending, questions: [.checkoutSession(id)])
    }
    if !session.isPaid {
      switch session.status {
      case .expired: return Decision(status: .ended, reason: "The Checkout Session expired before it was paid.")
      case .complete:
        return Decision(
          status: .waitingPayment, reason: "Checkout is complete; the payment method confirms the money later.")
      case .open: return Decision(status: .waitingPayment, reason: "Checkout is not complete.")
      }
    }
    var questions = knowledge.moneyQuestions
    let lines = knowledge.lineItems(of: id)
    if lines == nil { questions.append(.lineItems(of: id)) }
    questions += paymentDateQuestions(session.paymentIntent, lines ?? [], knowledge)
    guard questions.isEmpty, let lines else {
      return Decision(status: .pending, questions: Knowledge.unique(questions))
    }

    let customer = customer(
      stripe: session.customer, guest: id.rawValue, email: session.email, name: session.name,
      known: session.customer.flatMap { knowledge[FactKey($0)] })
    let sold = lines.filter { !$0.isRecurring }
      .map { SoldLine(key: $0.id.rawValue, price: $0.price, product: $0.product, quantity: $0.quantity) }
    var decision = decision(lines: sold, customer: customer) { line, agreement in
      oneTimeLine(
        line, agreement, source: id.rawValue,
        standing: knowledge.standing(of: session, terms: agreement.terms, now: now))
    }
    decision.payment = session.paymentIntent
    return decision
  }

  /// A one-time sale through an invoice.
  func decideInvoice(_ id: Stripe.InvoiceID, _ knowledge: Knowledge) -> Decision {
    guard let invoice = knowledge.invoice(id) else {
      return knowledge.isMissing(FactKey(id))
        ? Decision(status: .ended, reason: "Stripe does not know invoice \(id).")
        : Decision(status: .pending, questions: [.invoice(id)])
    }
    var questions = knowledge.moneyQuestions + knowledge.unlinkedPaymentQuestions
    if invoice.hasMoreLines { questions.append(.invoice(id)) }
    // An invoice that a Checkout Session made looks the same; its payment tells.
    if invoice.status == .paid, invoice.total > 0, knowledge.paymentsNamed.isEmpty, !knowledge.isMissing(FactKey(id)) {
      if !knowledge.hasFetched(FactKey(id)) { questions.append(.invoice(id)) }
    }
    guard questions.isEmpty else { return Decision(status: .pending, questions: Knowledge.unique(questions)) }
    // One without anything to pay has no payment to ask by. Its session, if it has one, tells of itself within minutes.
    let sessionsAreDue = invoice.created.addingTimeInterval(Self.patienceForSessions)
    if invoice.status == .paid, invoice.total == 0, knowledge.paymentsNamed.isEmpty, now < sessionsAreDue {
      return Decision(
        status: .pending, reason: "Waits a while for a Checkout Session that may have made this free invoice.",
        nextLook: sessionsAreDue)
    }

    let customer = customer(
      stripe: invoice.customer, guest: id.rawValue, email: invoice.customerEmail, name: invoice.customerName,
      known: invoice.customer.flatMap { knowledge[FactKey($0)] })
    let sold = invoice.lines.filter { !$0.isProration && $0.subscriptionItem == nil && $0.amount >= 0 }
      .map { SoldLine(key: $0.id.rawValue, price: $0.price, product: $0.product, quantity: $0.quantity) }
    return decision(lines: sold, customer: customer) { line, agreement in
      oneTimeLine(
        line, agreement, source: id.rawValue,
        standing: knowledge.standing(of: invoice, terms: agreement.terms, now: now))
    }
  }

  /// A sale for a term starts with the money, which for delayed payment methods is later than the session: the charge
  /// says when.
  private func paymentDateQuestions(
    _ payment: Stripe.PaymentIntentID?, _ lines: [Stripe.LineItem], _ knowledge: Knowledge
  ) -> [Question] {
    guard let payment else { return [] }
    let needsDate = lines.contains { line in
      Mapping.applying(to: line.price, product: line.product, among: mappings).contains { $0.terms.termDays != nil }
        || agreed.contains { $0.key.line == line.id.rawValue && $0.value.terms.termDays != nil }
    }
    guard needsDate, !knowledge.charges.contains(where: { $0.paymentIntent == payment && $0.isPaid }) else { return [] }
    guard let intent = knowledge.paymentIntent(payment) else {
      return knowledge.isMissing(FactKey(payment)) ? [] : [.paymentIntent(payment)]
    }
    guard let charge = intent.latestCharge, knowledge[FactKey(charge)] == nil else { return [] }
    return [.charge(charge)]
  }

  func oneTimeLine(
    _ line: SoldLine, _ agreement: Agreement, source: String, standing: Standing
  ) -> LineOutcome {
    let order = "\(source):\(line.key)"
    let isRefunded = if case .ended(revoke: true, _) = standing.access { true } else { false }
    var orders: [DesiredOrder] = []
    if !standing.awaitsPayment {
      orders = [
        DesiredOrder(
          externalID: order, product: agreement.terms.product, isRefunded: isRefunded, subscription: nil,
          periodStart: nil, periodEnd: nil)
      ]
    }
    let units = units(of: line, agreement, standing: standing, startsAt: nil, order: order, subscription: nil)
    return LineOutcome(
      line: DesiredLine(
        key: LineKey(line: line.key, product: agreement.terms.product), agreement: agreement,
        price: line.price, stripeProduct: line.product, quantity: line.quantity,
        subscription: nil, orders: orders, units: units, awaitsPayment: standing.awaitsPayment),
      standing: standing)
  }
}
