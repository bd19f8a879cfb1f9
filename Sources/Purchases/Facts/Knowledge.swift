package import Foundation
import Identity
package import StripeAPI

/// Everything that is known of one purchase: the facts about its Stripe objects.
package struct Knowledge: Hashable, Sendable {
  package private(set) var facts: [FactKey: Fact]
  /// The keys of the facts in their order. They are sorted when a fact is new, and not each time that a fact is asked for.
  private var keys: [FactKey] = []

  package init(_ facts: some Sequence<Fact> = []) {
    self.facts = [:]
    for fact in facts { learn(fact) }
  }

  /// Adds one more version; see `Fact.joined(with:)`.
  package mutating func learn(_ fact: Fact) {
    keep(facts[fact.key].map { $0.joined(with: fact) } ?? fact)
  }

  private mutating func keep(_ fact: Fact) {
    if facts.updateValue(fact, forKey: fact.key) != nil { return }
    var (low, high) = (keys.startIndex, keys.endIndex)
    while low < high {
      let middle = (low + high) / 2
      if keys[middle] < fact.key { low = middle + 1 } else { high = middle }
    }
    keys.insert(fact.key, at: low)
  }

  /// Adds Stripe's answer to a question that was asked with this knowledge.
  package mutating func learnAnswer(_ answer: Snapshot, answeredAt: Date) {
    let newest = newest
    // The shares of other subscriptions do not belong to this purchase.
    for snapshot in answer.withShares where snapshot.key == answer.key || facts[snapshot.key] != nil {
      keep(.fetched(snapshot, answeredAt: answeredAt, knowing: facts[snapshot.key], newestKnown: newest))
    }
  }

  /// The newest second of any fact here. An answer to a question asked now is not older.
  package var newest: Date? { facts.values.map(\.asOf).max() }

  /// All Stripe ids of this purchase that the facts name.
  package var aliases: Set<String> { Set(facts.values.flatMap(\.snapshot.aliases)) }

  package subscript(_ key: FactKey) -> Snapshot? { facts[key]?.snapshot }

  func isMissing(_ key: FactKey) -> Bool { if case .missing = facts[key]?.snapshot { true } else { false } }

  /// Sorted by key, so that nothing derived from them depends on the order of arrival.
  package var snapshots: [Snapshot] { keys.compactMap { facts[$0]?.snapshot } }

  package var contested: [FactKey] { keys.filter { facts[$0]?.isContested == true } }

  package var sessions: [Stripe.CheckoutSession] {
    snapshots.compactMap { if case .checkoutSession(let value) = $0 { value } else { nil } }
  }
  package var subscriptions: [Stripe.Subscription] {
    snapshots.compactMap { if case .subscription(let value) = $0 { value } else { nil } }
  }
  /// Each invoice in its newest version, which comes from an event or answer about the invoice, or from its subscription's
  /// list.
  package var invoices: [Stripe.Invoice] {
    var newest: [Stripe.InvoiceID: (asOf: Date, invoice: Stripe.Invoice)] = [:]
    for fact in facts.values {
      let invoices: [Stripe.Invoice] =
        switch fact.snapshot {
        case .invoice(let invoice), .invoiceShare(_, let invoice): [invoice]
        case .invoices(_, let invoices): invoices
        default: []
        }
      for invoice in invoices {
        // Of two versions with the same time, the one about the invoice itself has its payments; the one from a list has not.
        let isAlone = invoices.count == 1 && fact.key.rawValue == invoice.id.rawValue
        if let known = newest[invoice.id], known.asOf > fact.asOf || (known.asOf == fact.asOf && !isAlone) { continue }
        newest[invoice.id] = (fact.asOf, invoice)
      }
    }
    return newest.values.map(\.invoice).sorted { $0.id < $1.id }
  }
  package var charges: [Stripe.Charge] {
    snapshots.compactMap { if case .charge(let value) = $0 { value } else { nil } }
  }
  package var refunds: [Stripe.Refund] {
    snapshots.compactMap { if case .refund(let value) = $0 { value } else { nil } }
  }
  /// Each dispute in its newest version, including old versions that name only the charge.
  package var disputes: [Stripe.Dispute] {
    let told = facts.values.compactMap { fact -> (dispute: Stripe.Dispute, fact: Fact)? in
      if case .dispute(let dispute) = fact.snapshot { (dispute, fact) } else { nil }
    }
    let named = told.map(\.dispute).filter { !$0.isWithoutID }
    var newest: [Stripe.DisputeID: Fact] = [:]
    for (dispute, fact) in told {
      let own = named.filter { dispute.isWithoutID && $0.isSame(as: dispute) }
        .max { ($0.created, $0.id) < ($1.created, $1.id) }
      let version = own.map { Fact(.dispute(dispute.identified(by: $0)), asOf: fact.asOf, source: fact.source) } ?? fact
      let id = own?.id ?? dispute.id
      newest[id] = newest[id].map { $0.joined(with: version) } ?? version
    }
    return newest.sorted { $0.key < $1.key }.compactMap {
      if case .dispute(let dispute) = $0.value.snapshot { dispute } else { nil }
    }
  }
  package var paymentIntents: [Stripe.PaymentIntent] {
    snapshots.compactMap { if case .paymentIntent(let value) = $0 { value } else { nil } }
  }

  var fraudWarnings: [Stripe.FraudWarning] {
    snapshots.compactMap { if case .fraudWarning(let value) = $0 { value } else { nil } }
  }
  /// The credit notes of an invoice, each in its newest version.
  package func creditNotes(of invoice: Stripe.InvoiceID) -> [Stripe.CreditNote] {
    var newest: [Stripe.CreditNoteID: (asOf: Date, note: Stripe.CreditNote)] = [:]
    for fact in facts.values {
      let notes: [Stripe.CreditNote] =
        switch fact.snapshot {
        case .creditNote(let note): [note]
        case .creditNotes(_, let notes): notes
        default: []
        }
      for note in notes where note.invoice == invoice {
        if let known = newest[note.id], known.asOf > fact.asOf || (known.asOf == fact.asOf && known.note.isVoid) {
          continue
        }
        newest[note.id] = (fact.asOf, note)
      }
    }
    return newest.values.map(\.note).sorted { $0.id < $1.id }
  }

  package var creditNotes: [Stripe.CreditNote] {
    Self.unique(
      snapshots.compactMap { snapshot -> Stripe.InvoiceID? in
        switch snapshot {
        case .creditNote(let note): note.invoice
        case .creditNotes(let invoice, _): invoice
        default: nil
        }
      }
    ).flatMap(creditNotes(of:))
  }

  /// Every known link between an invoice and a payment of it.
  package var invoicePayments: [Stripe.InvoicePayment] {
    snapshots.flatMap { snapshot -> [Stripe.InvoicePayment] in
      switch snapshot {
      case .invoicePayment(let value): [value]
      case .invoicePayments(_, let values): values
      default: []
      }
    }
  }

  package func subscription(_ id: Stripe.SubscriptionID) -> Stripe.Subscription? {
    if case .subscription(let value) = self[FactKey(id)] { value } else { nil }
  }
  package func invoice(_ id: Stripe.InvoiceID) -> Stripe.Invoice? { invoices.first { $0.id == id } }
  package func charge(_ id: Stripe.ChargeID) -> Stripe.Charge? {
    if case .charge(let value) = self[FactKey(id)] { value } else { nil }
  }
  package func paymentIntent(_ id: Stripe.PaymentIntentID) -> Stripe.PaymentIntent? {
    if case .paymentIntent(let value) = self[FactKey(id)] { value } else { nil }
  }
  package func lineItems(of session: Stripe.CheckoutSessionID) -> [Stripe.LineItem]? {
    if case .lineItems(_, let value) = self[.lineItems(of: session)] { value } else { nil }
  }
  package func sessions(of payment: Stripe.PaymentIntentID) -> [Stripe.CheckoutSessionID]? {
    if case .sessions(_, let value) = self[.sessions(of: payment)] { value } else { nil }
  }
  package func invoicePayments(of payment: Stripe.PaymentIntentID) -> [Stripe.InvoicePayment]? {
    if case .invoicePayments(_, let value) = self[.invoicePayments(of: payment)] { value } else { nil }
  }
  /// The sessions that made an invoice without anything to pay; nil if Stripe was not asked.
  package func sessions(behind search: SessionSearch) -> [Stripe.CheckoutSessionID]? {
    if case .sessionsBehind(_, let value) = self[.sessions(behind: search)] { value } else { nil }
  }
  package func price(_ id: Stripe.PriceID) -> Stripe.Price? {
    if case .price(let value) = self[FactKey(id)] { value } else { nil }
  }
  /// Whether the delayed payment of a session has failed.
  func hasPaymentFailed(_ session: Stripe.CheckoutSessionID) -> Bool { self[.paymentFailed(of: session)] != nil }
  /// Whether the newest version came from asking Stripe.
  func hasFetched(_ key: FactKey) -> Bool { facts[key]?.source == .fetch }
  /// When the fact's version was true, on Stripe's clock.
  package func asOf(_ key: FactKey) -> Date? { facts[key]?.asOf }
}
