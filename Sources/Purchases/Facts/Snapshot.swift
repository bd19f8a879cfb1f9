import Foundation
package import Identity
package import StripeAPI

/// What Stripe said of one object, or answered to one question about it, in the form that decisions read.
///
/// Only what decisions need is kept. Both API shapes of an object become the same snapshot, so that repeated news of a
/// purchase is recognised, and no more of a buyer's data is stored than is used.
package enum Snapshot: Hashable, Sendable {
  case checkoutSession(Stripe.CheckoutSession)
  case subscription(Stripe.Subscription)
  case invoice(Stripe.Invoice)
  case invoicePayment(Stripe.InvoicePayment)
  case paymentIntent(Stripe.PaymentIntent)
  case charge(Stripe.Charge)
  case refund(Stripe.Refund)
  case dispute(Stripe.Dispute)
  case customer(Stripe.Customer)
  case fraudWarning(Stripe.FraudWarning)
  case creditNote(Stripe.CreditNote)
  case product(Stripe.Product)
  case price(Stripe.Price)
  /// The delayed payment of a session has failed. The session itself does not say so: it stays complete and unpaid.
  case paymentFailed(FailedPayment)
  /// All lines of a Checkout Session. They are never in an event, so Stripe is always asked.
  case lineItems(of: Stripe.CheckoutSessionID, [Stripe.LineItem])
  /// Which Checkout Sessions a payment belongs to; empty if none.
  case sessions(of: Stripe.PaymentIntentID, [Stripe.CheckoutSessionID])
  /// All refunds of a charge.
  case refunds(of: Stripe.ChargeID, [Stripe.RefundID])
  /// Which Checkout Sessions made an invoice without anything to pay, which has no payment to ask by; empty if none.
  case sessionsBehind(SessionSearch, [Stripe.CheckoutSessionID])
  /// Which invoices a payment paid; empty if none.
  case invoicePayments(of: Stripe.PaymentIntentID, [Stripe.InvoicePayment])
  /// The newest invoices of a subscription, whatever became of them.
  case invoices(of: Stripe.SubscriptionID, [Stripe.Invoice])
  /// The share of one subscription in an invoice that bills several.
  case invoiceShare(of: Stripe.SubscriptionID, Stripe.Invoice)
  /// The credit notes of an invoice.
  case creditNotes(of: Stripe.InvoiceID, [Stripe.CreditNote])
  /// Stripe was asked and has no such object: it was deleted, or belongs to another mode.
  case missing(FactKey)
}

/// The session whose delayed payment has failed.
package struct FailedPayment: Hashable, Sendable, Codable {
  package let session: Stripe.CheckoutSessionID
  package let payment: Stripe.PaymentIntentID?
  package let subscription: Stripe.SubscriptionID?
}

/// A search for the Checkout Session that made an invoice.
package struct SessionSearch: Hashable, Sendable, Codable {
  package let invoice: Stripe.InvoiceID
  /// Whether the search took place late enough that the session, if there is one, must have been found.
  package let isLast: Bool
}

/// Names a fact: the object's id, or the id and the question about it.
package struct FactKey: RawRepresentable, Hashable, Sendable, Codable, Comparable, CustomStringConvertible {
  package let rawValue: String
  package init(rawValue: String) { self.rawValue = rawValue }

  /// The fact about an object itself.
  package init<Subject>(_ id: ID<Subject>) { rawValue = id.rawValue }

  package static func lineItems(of session: Stripe.CheckoutSessionID) -> FactKey {
    .init(rawValue: "\(session)/line_items")
  }
  package static func sessions(of payment: Stripe.PaymentIntentID) -> FactKey {
    .init(rawValue: "\(payment)/checkout_sessions")
  }
  package static func refunds(of charge: Stripe.ChargeID) -> FactKey { .init(rawValue: "\(charge)/refunds") }
  package static func sessions(behind search: SessionSearch) -> FactKey {
    .init(rawValue: "\(search.invoice)/checkout_sessions\(search.isLast ? "/last" : "")")
  }
  static func paymentFailed(of session: Stripe.CheckoutSessionID) -> FactKey {
    .init(rawValue: "\(session)/payment_failed")
  }
  package static func invoicePayments(of payment: Stripe.PaymentIntentID) -> FactKey {
    .init(rawValue: "\(payment)/invoice_payments")
  }

  package static func invoices(of subscription: Stripe.SubscriptionID) -> FactKey {
    .init(rawValue: "\(subscription)/invoices")
  }
  package static func share(of subscription: Stripe.SubscriptionID, _ invoice: Stripe.InvoiceID) -> FactKey {
    .init(rawValue: "\(subscription)/\(invoice)")
  }
  package static func creditNotes(of invoice: Stripe.InvoiceID) -> FactKey {
    .init(rawValue: "\(invoice)/credit_notes")
  }

  /// The Stripe id that the fact belongs to.
  package var subject: String { rawValue.firstIndex(of: "/").map { String(rawValue[..<$0]) } ?? rawValue }
  package var description: String { rawValue }
  package static func < (a: FactKey, b: FactKey) -> Bool { a.rawValue < b.rawValue }
}

extension Snapshot {
  /// The fact this snapshot is a version of.
  package var key: FactKey {
    switch self {
    case .checkoutSession(let object): FactKey(object.id)
    case .subscription(let object): FactKey(object.id)
    case .invoice(let object): FactKey(object.id)
    case .invoicePayment(let object): FactKey(object.id)
    case .paymentIntent(let object): FactKey(object.id)
    case .charge(let object): FactKey(object.id)
    case .refund(let object): FactKey(object.id)
    case .dispute(let object): FactKey(object.id)
    case .customer(let object): FactKey(object.id)
    case .fraudWarning(let object): FactKey(object.id)
    case .creditNote(let object): FactKey(object.id)
    case .product(let object): FactKey(object.id)
    case .price(let object): FactKey(object.id)
    case .paymentFailed(let failed): .paymentFailed(of: failed.session)
    case .refunds(let charge, _): .refunds(of: charge)
    case .sessionsBehind(let search, _): .sessions(behind: search)
    case .lineItems(let session, _): .lineItems(of: session)
    case .sessions(let payment, _): .sessions(of: payment)
    case .invoicePayments(let payment, _): .invoicePayments(of: payment)
    case .invoices(let subscription, _): .invoices(of: subscription)
    case .invoiceShare(let subscription, let invoice): .share(of: subscription, invoice.id)
    case .creditNotes(let invoice, _): .creditNotes(of: invoice)
    case .missing(let key): key
    }
  }

  /// Every Stripe id in the snapshot that names the same purchase, the object's own first.
  ///
  /// Customers, products and payment links are shared by many purchases and are never among them.
  package var aliases: [String] {
    func ids(_ values: String?...) -> [String] { values.compactMap { $0 } }
    switch self {
    case .checkoutSession(let s):
      return s.mode == .setup || s.mode == .other
        ? [] : ids(s.id.rawValue, s.subscription?.rawValue, s.paymentIntent?.rawValue, s.invoice?.rawValue)
    // A subscription's newest invoice may bill other subscriptions too. An invoice names its subscriptions itself.
    case .subscription(let s):
      return [s.id.rawValue]
    case .invoice(let i):
      if i.isShared { return [] }
      return ids(i.id.rawValue, i.subscription?.rawValue, i.charge?.rawValue) + i.paymentIntents.map(\.rawValue)
    case .invoicePayment(let p):
      return ids(p.id.rawValue, p.invoice.rawValue, p.paymentIntent?.rawValue, p.charge?.rawValue)
    case .paymentIntent(let p):
      return ids(p.id.rawValue, p.latestCharge?.rawValue, p.invoice?.rawValue)
    case .charge(let c):
      return ids(c.id.rawValue, c.paymentIntent?.rawValue, c.invoice?.rawValue)
    case .refund(let r):
      return ids(r.id.rawValue, r.charge?.rawValue, r.paymentIntent?.rawValue)
    case .dispute(let d):
      return ids(d.id.rawValue, d.charge?.rawValue, d.paymentIntent?.rawValue)
    case .fraudWarning(let w):
      return ids(w.id.rawValue, w.charge?.rawValue, w.paymentIntent?.rawValue)
    case .creditNote(let n):
      return ids(n.id.rawValue, n.invoice.rawValue) + n.refunds.map(\.rawValue)
    case .paymentFailed(let failed):
      return ids(failed.session.rawValue, failed.subscription?.rawValue, failed.payment?.rawValue)
    case .refunds(let charge, let refunds):
      return [charge.rawValue] + refunds.map(\.rawValue)
    case .sessionsBehind(let search, let sessions):
      return [search.invoice.rawValue] + sessions.map(\.rawValue)
    case .sessions(let payment, let sessions):
      return [payment.rawValue] + sessions.map(\.rawValue)
    case .invoicePayments(let payment, let payments):
      return [payment.rawValue] + payments.map(\.invoice.rawValue)
    case .lineItems(let session, _):
      return [session.rawValue]
    case .invoices(let subscription, let invoices):
      return [subscription.rawValue] + invoices.filter { !$0.isShared }.map(\.id.rawValue)
    case .invoiceShare(let subscription, _):
      return [subscription.rawValue]
    case .creditNotes(let invoice, let notes):
      return [invoice.rawValue] + notes.map(\.id.rawValue)
    case .customer, .product, .price, .missing:
      return []
    }
  }

  /// What an invoice that bills several subscriptions bills each of them. Empty for anything else.
  package var shares: [Snapshot] {
    guard case .invoice(let invoice) = self, invoice.isShared else { return [] }
    return invoice.subscriptions.sorted().map { .invoiceShare(of: $0, invoice) }
  }

  /// How far the object has progressed, by those of its values that only ever move one way. It decides between two versions
  /// of the same second.
  package var progress: [Int64] {
    switch self {
    case .checkoutSession(let s):
      return [s.status == .open ? 0 : 1, s.paymentStatus == .unpaid ? 0 : 1]
    case .subscription(let s):
      let stage: Int64 =
        switch s.status {
        case .canceled, .incompleteExpired: 2
        case .incomplete, .unknown: 0
        default: 1
        }
      // Neither start nor end of a period only moves forward: a change from yearly to monthly moves the end back.
      return [stage]
    case .invoice(let i), .invoiceShare(_, let i):
      let stage: Int64 =
        switch i.status {
        case .draft: 0
        case .open: 1
        case .uncollectible: 2
        case .paid, .void: 3
        }
      return [stage, i.attemptCount, i.paymentIntents.isEmpty ? 0 : 1]
    case .invoicePayment(let p): return [p.isPaid ? 1 : 0]
    case .paymentIntent(let p): return [p.status == "succeeded" || p.status == "canceled" ? 1 : 0]
    case .charge(let c): return [c.isPaid ? 1 : 0]
    case .refund(let r):
      return [r.status == "failed" || r.status == "canceled" ? 2 : r.status == "succeeded" ? 1 : 0]
    case .dispute(let d): return [d.stage == .won || d.stage == .lost ? 1 : 0]
    case .customer(let c): return [c.isDeleted ? 1 : 0]
    case .fraudWarning(let w): return [w.isActionable ? 0 : 1]
    case .creditNote(let n): return [n.isVoid ? 1 : 0, Int64(n.refunds.count)]
    case .product(let p): return [p.isDeleted ? 1 : 0]
    case .price(let p): return [p.isDeleted ? 1 : 0]
    case .lineItems, .sessions, .sessionsBehind, .refunds, .invoicePayments, .paymentFailed, .invoices, .creditNotes:
      return []
    case .missing: return [Int64.max]
    }
  }
}

extension Snapshot: Codable {
  private enum Kind: String, CodingKey {
    case checkoutSession, subscription, invoice, invoicePayment, paymentIntent, charge, refund, dispute, customer
    case fraudWarning, creditNote, product, price, paymentFailed
    case lineItems, sessions, sessionsBehind, refunds, invoicePayments, invoices, invoiceShare, creditNotes, missing
  }

  private struct Answer<Subject: Codable, Element: Codable>: Codable {
    package let of: Subject
    package let data: [Element]
  }

  package init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Kind.self)
    guard let kind = container.allKeys.first else {
      throw DecodingError.dataCorrupted(
        .init(codingPath: decoder.codingPath, debugDescription: "a snapshot names its kind"))
    }
    func read<T: Decodable>(_ type: T.Type = T.self) throws -> T { try container.decode(T.self, forKey: kind) }
    switch kind {
    case .checkoutSession: self = .checkoutSession(try read())
    case .subscription: self = .subscription(try read())
    case .invoice: self = .invoice(try read())
    case .invoicePayment: self = .invoicePayment(try read())
    case .paymentIntent: self = .paymentIntent(try read())
    case .charge: self = .charge(try read())
    case .refund: self = .refund(try read())
    case .dispute: self = .dispute(try read())
    case .customer: self = .customer(try read())
    case .fraudWarning: self = .fraudWarning(try read())
    case .creditNote: self = .creditNote(try read())
    case .product: self = .product(try read())
    case .price: self = .price(try read())
    case .paymentFailed: self = .paymentFailed(try read())
    case .lineItems:
      let answer = try read(Answer<Stripe.CheckoutSessionID, Stripe.LineItem>.self)
      self = .lineItems(of: answer.of, answer.data)
    case .sessions:
      let answer = try read(Answer<Stripe.PaymentIntentID, Stripe.CheckoutSessionID>.self)
      self = .sessions(of: answer.of, answer.data)
    case .refunds:
      let answer = try read(Answer<Stripe.ChargeID, Stripe.RefundID>.self)
      self = .refunds(of: answer.of, answer.data)
    case .sessionsBehind:
      let answer = try read(Answer<SessionSearch, Stripe.CheckoutSessionID>.self)
      self = .sessionsBehind(answer.of, answer.data)
    case .invoicePayments:
      let answer = try read(Answer<Stripe.PaymentIntentID, Stripe.InvoicePayment>.self)
      self = .invoicePayments(of: answer.of, answer.data)
    case .invoices:
      let answer = try read(Answer<Stripe.SubscriptionID, Stripe.Invoice>.self)
      self = .invoices(of: answer.of, answer.data)
    case .invoiceShare:
      let answer = try read(Answer<Stripe.SubscriptionID, Stripe.Invoice>.self)
      guard let invoice = answer.data.first else {
        throw DecodingError.dataCorrupted(
          .init(codingPath: decoder.codingPath, debugDescription: "a share of an invoice has the invoice"))
      }
      self = .invoiceShare(of: answer.of, invoice)
    case .creditNotes:
      let answer = try read(Answer<Stripe.InvoiceID, Stripe.CreditNote>.self)
      self = .creditNotes(of: answer.of, answer.data)
    case .missing: self = .missing(try read())
    }
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Kind.self)
    switch self {
    case .checkoutSession(let object): try container.encode(object, forKey: .checkoutSession)
    case .subscription(let object): try container.encode(object, forKey: .subscription)
    case .invoice(let object): try container.encode(object, forKey: .invoice)
    case .invoicePayment(let object): try container.encode(object, forKey: .invoicePayment)
    case .paymentIntent(let object): try container.encode(object, forKey: .paymentIntent)
    case .charge(let object): try container.encode(object, forKey: .charge)
    case .refund(let object): try container.encode(object, forKey: .refund)
    case .dispute(let object): try container.encode(object, forKey: .dispute)
    case .customer(let object): try container.encode(object, forKey: .customer)
    case .fraudWarning(let object): try container.encode(object, forKey: .fraudWarning)
    case .creditNote(let object): try container.encode(object, forKey: .creditNote)
    case .product(let object): try container.encode(object, forKey: .product)
    case .price(let object): try container.encode(object, forKey: .price)
    case .paymentFailed(let failed): try container.encode(failed, forKey: .paymentFailed)
    case .lineItems(let session, let lines): try container.encode(Answer(of: session, data: lines), forKey: .lineItems)
    case .sessions(let payment, let ids): try container.encode(Answer(of: payment, data: ids), forKey: .sessions)
    case .refunds(let charge, let ids): try container.encode(Answer(of: charge, data: ids), forKey: .refunds)
    case .sessionsBehind(let search, let ids):
      try container.encode(Answer(of: search, data: ids), forKey: .sessionsBehind)
    case .invoicePayments(let payment, let payments):
      try container.encode(Answer(of: payment, data: payments), forKey: .invoicePayments)
    case .invoices(let subscription, let invoices):
      try container.encode(Answer(of: subscription, data: invoices), forKey: .invoices)
    case .invoiceShare(let subscription, let invoice):
      try container.encode(Answer(of: subscription, data: [invoice]), forKey: .invoiceShare)
    case .creditNotes(let invoice, let notes):
      try container.encode(Answer(of: invoice, data: notes), forKey: .creditNotes)
    case .missing(let key): try container.encode(key, forKey: .missing)
    }
  }
}
