import Foundation
import Identity
package import StripeAPI

/// The root of a purchase: the Stripe object whose lines are what was sold.
package enum Root: Hashable, Sendable {
  case subscription(Stripe.SubscriptionID)
  case checkout(Stripe.CheckoutSessionID)
  /// An invoice without subscription and without Checkout: sent by hand or from a quote.
  case invoice(Stripe.InvoiceID)
  /// A payment made by the vendor's own integration, whose metadata names what it sells.
  case payment(Stripe.PaymentIntentID)

  /// The word for it in the admin API.
  package var kind: String {
    switch self {
    case .subscription: "subscription"
    case .checkout: "checkout"
    case .invoice: "invoice"
    case .payment: "payment"
    }
  }

  package var stripeID: String {
    switch self {
    case .subscription(let id): id.rawValue
    case .checkout(let id): id.rawValue
    case .invoice(let id): id.rawValue
    case .payment(let id): id.rawValue
    }
  }
}

/// How much is known of a purchase's root.
package enum RootFinding: Hashable {
  case found(Root)
  /// These answers are needed first.
  case ask([Question])
  /// A payment without Checkout, Payment Link, subscription or invoice: it names no product.
  case barePayment
  /// The payment of an invoice that bills several subscriptions. Each of those is a purchase of its own.
  case sharedInvoice(Stripe.Invoice)
  /// Nothing that sells anything, for example a session in setup mode.
  case nothing
}

extension Knowledge {
  /// Works out what the root of the purchase is.
  ///
  /// A subscription comes before all others, since its sessions and invoices only belong to it. A Checkout Session comes
  /// before the invoice that it may have made: such an invoice names no subscription and looks like one written by hand. So
  /// the session must be looked for before anything is issued for the invoice (Stripe docs, "Checkout: invoice creation").
  package func findRoot() -> RootFinding {
    var named = subscriptions.map(\.id) + sessions.compactMap(\.subscription)
    named += invoices.filter { !$0.isShared }.compactMap(\.subscription)
    for case .invoiceShare(let subscription, _) in snapshots { named.append(subscription) }
    if let subscription = named.sorted().first { return .found(.subscription(subscription)) }
    if let session = sessions.filter({ $0.mode == .payment }).map(\.id).sorted().first {
      return .found(.checkout(session))
    }

    if let invoice = sharedInvoices.first { return .sharedInvoice(invoice) }

    var questions: [Question] = []
    for snapshot in snapshots {
      let ids: [Stripe.CheckoutSessionID] =
        switch snapshot {
        case .sessions(_, let ids), .sessionsBehind(_, let ids): ids
        case .paymentFailed(let failed): [failed.session]
        default: []
        }
      questions += ids.filter { self[FactKey($0)] == nil }.map(Question.checkoutSession)
    }
    for payment in invoicePayments where self[FactKey(payment.invoice)] == nil {
      questions.append(.invoice(payment.invoice))
    }
    for invoice in (charges.compactMap(\.invoice) + paymentIntents.compactMap(\.invoice) + creditNotes.map(\.invoice))
    where self[FactKey(invoice)] == nil {
      questions.append(.invoice(invoice))
    }
    if !questions.isEmpty { return .ask(Self.unique(questions)) }

    let payments = paymentsNamed
    for payment in payments where sessions(of: payment) == nil && !isMissing(.sessions(of: payment)) {
      questions.append(.sessions(of: payment))
    }
    if !questions.isEmpty { return .ask(Self.unique(questions)) }
    if let invoice = invoices.map(\.id).sorted().first { return .found(.invoice(invoice)) }

    for payment in payments
    where invoicePayments(of: payment) == nil && !isMissing(.invoicePayments(of: payment)) {
      questions.append(.invoicePayments(of: payment))
    }
    if !questions.isEmpty { return .ask(Self.unique(questions)) }

    // A refund, dispute or warning may name only a charge; the charge names its payment.
    for charge in (refunds.compactMap(\.charge) + disputes.compactMap(\.charge) + fraudWarnings.compactMap(\.charge))
    where self[FactKey(charge)] == nil {
      questions.append(.charge(charge))
    }
    if !questions.isEmpty { return .ask(Self.unique(questions)) }
    return payments.isEmpty && charges.isEmpty ? .nothing : .barePayment
  }

  /// Every PaymentIntent that any fact names.
  var paymentsNamed: [Stripe.PaymentIntentID] {
    var ids: Set<Stripe.PaymentIntentID> = Set(paymentIntents.map(\.id))
    ids.formUnion(charges.compactMap(\.paymentIntent))
    ids.formUnion(refunds.compactMap(\.paymentIntent))
    ids.formUnion(disputes.compactMap(\.paymentIntent))
    ids.formUnion(fraudWarnings.compactMap(\.paymentIntent))
    ids.formUnion(invoices.flatMap(\.paymentIntents))
    ids.formUnion(invoicePayments.compactMap(\.paymentIntent))
    ids.formUnion(sessions.compactMap(\.paymentIntent))
    return ids.sorted()
  }

  /// Each element once, in the order of its first appearance.
  package static func unique<Element: Hashable>(_ elements: [Element]) -> [Element] {
    var seen: Set<Element> = []
    return elements.filter { seen.insert($0).inserted }
  }
}
