import Foundation
import Identity
import LicenseKitAPI
import StripeAPI

extension Decider {
  /// How many seconds after a free invoice was made its Checkout Session, if it has one, is sure to be found.
  static let patienceForSessions: TimeInterval = 120
  /// How many seconds the event of a session may take if there is no buyer by whom Stripe could be asked for it.
  static let patienceForEvents: TimeInterval = 900

  /// A one-time sale through Checkout or a Payment Link.
  func decideCheckout(_ id: Stripe.CheckoutSessionID, _ knowledge: Knowledge) -> Decision {
    guard case .checkoutSession(let session)? = knowledge[FactKey(id)] else {
      return knowledge.isMissing(FactKey(id))
        ? Decision(status: .ended, reason: "Stripe does not know Checkout Session \(id).")
        : Decision(status: .pending, questions: [.checkoutSession(id)])
    }
    if !session.isPaid, let again = knowledge.staleSessionQuestion(session, now: now) {
      return Decision(status: .pending, questions: [again])
    }
    if !session.isPaid {
      switch session.status {
      case .expired: return Decision(status: .ended, reason: "The Checkout Session expired before it was paid.")
      case .complete where knowledge.hasPaymentFailed(id):
        return Decision(status: .ended, reason: "The delayed payment has failed; nothing was sold.")
      case .complete:
        return Decision(
          status: .waitingPayment, reason: "Checkout is complete; the payment method confirms the money later.",
          nextLook: knowledge.nextLookForMoney(of: session, now: now))
      case .open: return Decision(status: .waitingPayment, reason: "Checkout is not complete.")
      }
    }
    var questions = knowledge.moneyQuestions
    let lines = knowledge.lineItems(of: id)
    if lines == nil { questions.append(.lineItems(of: id)) }
    // Recurring prices belong to a subscription, never to a one-time sale.
    let sold = (lines ?? []).filter { !$0.isRecurring }
      .map { SoldLine(key: $0.id.rawValue, price: $0.price, product: $0.product, quantity: $0.quantity) }
    questions += paymentDateQuestions(session.paymentIntent, sold, knowledge)
    guard questions.isEmpty else { return Decision(status: .pending, questions: Knowledge.unique(questions)) }

    let customer = customer(
      stripe: session.customer, guest: id.rawValue, email: session.email, name: session.name,
      known: session.customer.flatMap { knowledge[FactKey($0)] })
    let charges = knowledge.charges.filter { $0.paymentIntent != nil && $0.paymentIntent == session.paymentIntent }
    let money = knowledge.reversals(of: session, charges)
    let paidAt = charges.filter(\.isPaid).map(\.created).min() ?? session.created
    var decision = decision(lines: sold, customer: customer) { line, pinnedTerms in
      oneTimeLine(
        line, pinnedTerms, source: id.rawValue,
        entitlement: knowledge.entitlement(
          of: Ledger.Entry(line, paidAt: paidAt, money), money: money, terms: pinnedTerms.terms, now: now))
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
    questions += knowledge.staleInvoiceQuestions(now: now)
    if invoice.hasMoreLines { questions.append(.invoice(id)) }
    // An invoice that a Checkout Session made looks the same; only its payment shows the difference.
    if invoice.status == .paid, invoice.total > 0, knowledge.paymentsNamed.isEmpty, !knowledge.isMissing(FactKey(id)) {
      if !knowledge.hasFetched(FactKey(id)) { questions.append(.invoice(id)) }
    }
    guard questions.isEmpty else { return Decision(status: .pending, questions: Knowledge.unique(questions)) }
    if invoice.status == .paid, invoice.total == 0, knowledge.paymentsNamed.isEmpty,
      let search = searchForSession(behind: invoice, knowledge)
    {
      return search
    }

    let customer = customer(
      stripe: invoice.customer, guest: id.rawValue, email: invoice.customerEmail, name: invoice.customerName,
      known: invoice.customer.flatMap { knowledge[FactKey($0)] })
    let ledger = Ledger(of: invoice, in: knowledge)
    if let decision = decisionOnAnomalies(ledger, knowledge) { return decision }
    let money = knowledge.reversals(of: invoice)
    let entries = Dictionary(ledger.entries.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
    let sold = ledger.entries
      .map { SoldLine(key: $0.id, price: $0.price, product: $0.product, quantity: $0.quantity) }
    return decision(lines: sold, customer: customer) { line, pinnedTerms in
      let entry = entries[line.key] ?? Ledger.Entry(line, paidAt: invoice.created, money)
      return oneTimeLine(
        line, pinnedTerms, source: id.rawValue,
        entitlement: knowledge.entitlement(of: entry, money: money, terms: pinnedTerms.terms, now: now))
    }
  }

  /// An invoice without anything to pay has no payment to ask by, and an invoice that a Checkout Session made must not be
  /// sold as well. So the session is looked for by its buyer: at once, and if that finds none, again when it must be there.
  /// - Returns: what to do meanwhile; nil once it is known that there is no session.
  private func searchForSession(behind invoice: Stripe.Invoice, _ knowledge: Knowledge) -> Decision? {
    let reason = "Waits a while for a Checkout Session that may have made this free invoice."
    guard
      let buyer = invoice.customer.map(Question.Buyer.customer) ?? invoice.customerEmail.map(Question.Buyer.email)
    else {
      let due = invoice.created.addingTimeInterval(Self.patienceForEvents)
      return now < due ? Decision(status: .pending, reason: reason, nextLook: due) : nil
    }
    let due = invoice.created.addingTimeInterval(Self.patienceForSessions)
    let search = SessionSearch(invoice: invoice.id, isLast: now >= due)
    let last = SessionSearch(invoice: invoice.id, isLast: true)
    if knowledge.sessions(behind: last) != nil || knowledge.isMissing(.sessions(behind: last)) { return nil }
    guard knowledge.sessions(behind: search) != nil || knowledge.isMissing(.sessions(behind: search)) else {
      return Decision(status: .pending, questions: [.sessionsBehind(search, buyer, around: invoice.created)])
    }
    return Decision(status: .pending, reason: reason, nextLook: due)
  }

  /// A sale for a term starts with the money. With delayed payment methods that is later than the session, and only the
  /// charge says when.
  func paymentDateQuestions(
    _ payment: Stripe.PaymentIntentID?, _ lines: [SoldLine], _ knowledge: Knowledge
  ) -> [Question] {
    guard let payment else { return [] }
    let needsDate = lines.contains { line in
      Mapping.applying(to: line.price, product: line.product, among: mappings).contains { $0.terms.termDays != nil }
        || pinned.contains { $0.key.line == line.key && $0.value.terms.termDays != nil }
    }
    guard needsDate, !knowledge.charges.contains(where: { $0.paymentIntent == payment && $0.isPaid }) else { return [] }
    guard let intent = knowledge.paymentIntent(payment) else {
      return knowledge.isMissing(FactKey(payment)) ? [] : [.paymentIntent(payment)]
    }
    guard let charge = intent.latestCharge, knowledge[FactKey(charge)] == nil else { return [] }
    return [.charge(charge)]
  }

  func oneTimeLine(
    _ line: SoldLine, _ pinnedTerms: PinnedTerms, source: String, entitlement: Entitlement
  ) -> LineOutcome {
    let order = "\(source):\(line.key)"
    let isUndone = if case .ended(revoke: true, _) = entitlement.access { true } else { false }
    let isVoided = entitlement.endedBy == .voided
    var orders: [DesiredOrder] = []
    if !entitlement.awaitsPayment {
      orders = [
        DesiredOrder(
          externalID: order, product: pinnedTerms.terms.product, isRefunded: isUndone && !isVoided,
          isVoided: isVoided, subscription: nil,
          periodStart: nil, periodEnd: nil, price: line.price, stripeProduct: line.product)
      ]
    }
    let key = LineKey(line: line.key, product: pinnedTerms.terms.product)
    let units = units(key, pinnedTerms, quantity: line.quantity, entitlement, .init(order: order))
    return LineOutcome(
      line: DesiredLine(
        key: key, pinnedTerms: pinnedTerms,
        price: line.price, stripeProduct: line.product, quantity: line.quantity,
        subscription: nil, orders: orders, units: units, unpaid: entitlement.awaitsPayment ? .leavesIssued : nil,
        causes: entitlement.causes),
      entitlement: entitlement)
  }
}
