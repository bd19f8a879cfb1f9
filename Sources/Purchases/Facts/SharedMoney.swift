import Foundation
import Identity
package import StripeAPI

// One payment pays an invoice that bills several subscriptions. Each subscription is a purchase of its own, and so is the
// payment: what is known of it and its returns belongs to the payment's purchase. The subscriptions borrow those facts to
// judge their lines, and are told when something changes.

extension Knowledge {
  /// The invoices that bill several subscriptions.
  package var sharedInvoices: [Stripe.Invoice] { invoices.filter(\.isShared) }

  /// The ids of shared invoices, of their payments and of what went back. They lead to the payment's purchase, and do not
  /// make the subscriptions one purchase.
  package var sharedIDs: Set<String> {
    var ids: Set<String> = []
    for invoice in sharedInvoices {
      ids.formUnion(paymentIDs(of: invoice))
      ids.formUnion(money(of: invoice).flatMap(\.snapshot.aliases))
    }
    return ids
  }

  /// Whether a snapshot is about a shared invoice or the money that paid it.
  func isShared(_ snapshot: Snapshot) -> Bool {
    if case .invoice(let invoice) = snapshot, invoice.isShared { return true }
    return snapshot.isOfMoney && !sharedIDs.isDisjoint(with: snapshot.aliases)
  }

  /// The purchase that an answer belongs to, by the ids that lead to it.
  package struct Link: Hashable, Sendable {
    package let ids: [String]
    /// It is the purchase that asked; other purchases that the ids lead to are the same one.
    package let isOwn: Bool
    /// Whether the purchase is begun if none of the ids is known.
    package let begins: Bool
  }

  /// Where an answer belongs that a purchase with this knowledge asked for.
  ///
  /// A shared invoice and its money belong to the payment's purchase, whoever asked. If that purchase asks for the invoice,
  /// the answer is linked to it even if no id in the answer is known: the invoice need not name its payment.
  /// - Returns: nil for an answer that belongs to no purchase.
  package func link(of answer: Snapshot, askedBy purchase: String) -> Link? {
    let ids = answer.aliases + answer.paymentAliases
    guard !ids.isEmpty else { return nil }
    guard isOfSubscription, isShared(answer) else { return Link(ids: ids + [purchase], isOwn: true, begins: false) }
    return Link(ids: ids, isOwn: false, begins: answer.isOfMoney)
  }

  private var isOfSubscription: Bool { if case .found(.subscription) = findRoot() { true } else { false } }

  /// What is known of the payments of an invoice, and of what went back of them.
  package func money(of invoice: Stripe.Invoice) -> [Fact] {
    let ids = paymentIDs(of: invoice)
    let told = facts.values.filter { $0.snapshot.isOfMoney && !ids.isDisjoint(with: $0.snapshot.aliases) }
    // An object that Stripe does not have is named only by its own id.
    let named = ids.union(told.flatMap(\.snapshot.aliases))
    return told
      + facts.values.filter { fact in
        if case .missing(let key) = fact.snapshot { named.contains(key.subject) } else { false }
      }
  }

  /// The invoice and everything that is known to have paid it.
  private func paymentIDs(of invoice: Stripe.Invoice) -> Set<String> {
    var ids: Set = [invoice.id.rawValue]
    for version in [invoice] + invoices.filter({ $0.id == invoice.id }) {
      ids.formUnion(version.paymentIntents.map(\.rawValue))
      if let charge = version.charge { ids.insert(charge.rawValue) }
    }
    for payment in invoicePayments where payment.invoice == invoice.id {
      ids.formUnion([payment.paymentIntent?.rawValue, payment.charge?.rawValue].compactMap { $0 })
    }
    for charge in charges
    where charge.invoice == invoice.id || ids.contains(charge.id.rawValue)
      || (charge.paymentIntent.map { ids.contains($0.rawValue) } ?? false)
    {
      ids.formUnion([charge.id.rawValue, charge.paymentIntent?.rawValue].compactMap { $0 })
    }
    return ids
  }

  /// Adds what other purchases know of the payments of invoices that this one shares with them.
  package mutating func borrow(from lenders: Knowledge) {
    for fact in sharedInvoices.flatMap(lenders.money) { learn(fact) }
  }
}

extension Snapshot {
  /// Whether it is about a payment, or about what went back of one.
  fileprivate var isOfMoney: Bool {
    switch self {
    case .invoicePayment, .paymentIntent, .charge, .refund, .dispute, .fraudWarning, .creditNote, .refunds,
      .invoicePayments, .creditNotes:
      true
    case .checkoutSession, .subscription, .invoice, .customer, .product, .price, .paymentFailed, .lineItems, .sessions,
      .sessionsBehind, .invoices, .invoiceShare, .missing:
      false
    }
  }

  /// The ids that lead to the purchase of a shared invoice's payment. Empty for anything else.
  package var paymentAliases: [String] {
    guard case .invoice(let invoice) = self, invoice.isShared else { return [] }
    return [invoice.id.rawValue] + invoice.paymentIntents.map(\.rawValue) + [invoice.charge?.rawValue].compactMap { $0 }
  }

  /// Whether it may show that ids belong together.
  package var links: Bool { !aliases.isEmpty || !paymentAliases.isEmpty }

  /// What an answer or event about an invoice says: the invoice, and the share of each subscription that it bills.
  package var withShares: [Snapshot] { [self] + shares }
}

extension Stripe.Invoice {
  /// The lines that are about a subscription. An invoice can bill several.
  package func lines(of id: Stripe.SubscriptionID) -> [Line] {
    lines.filter { ($0.subscription ?? subscription) == id }
  }

  /// Every subscription that it bills.
  package var subscriptions: Set<Stripe.SubscriptionID> {
    Set(lines.compactMap(\.subscription) + [subscription].compactMap { $0 })
  }

  /// Whether it bills subscriptions without being one's own. Then Stripe names them on the lines alone, of which an event
  /// may show only the first; it links nothing, and each subscription has its own lines.
  package var isShared: Bool { subscriptions.count > 1 || (subscription == nil && !subscriptions.isEmpty) }
}
