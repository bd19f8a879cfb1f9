import Identity
package import StripeAPI

extension Snapshot {
  /// Objects that several purchases share and whose facts this purchase needs: the buyer, the price that a payment names, and
  /// an invoice that bills several subscriptions.
  package var shared: [FactKey] {
    var keys = customer.map { [FactKey($0)] } ?? []
    if case .subscription(let subscription) = self, let latest = subscription.latestInvoice {
      keys.append(FactKey(latest))
    }
    if case .paymentIntent(let payment) = self, let price = payment.sale?.price { keys.append(FactKey(price)) }
    switch self {
    case .invoiceShare(_, let invoice): keys.append(FactKey(invoice.id))
    case .invoices(_, let invoices): keys += invoices.filter(\.isShared).map { FactKey($0.id) }
    default: break
    }
    return keys
  }

  /// Whether the product or price is no longer offered.
  var isWithdrawn: Bool {
    switch self {
    case .product(let product): product.isDeleted || !product.isActive
    case .price(let price): price.isDeleted || !price.isActive
    default: false
    }
  }

  /// The buyer that the object names.
  package var customer: Stripe.CustomerID? {
    switch self {
    case .checkoutSession(let object): object.customer
    case .subscription(let object): object.customer
    case .invoice(let object): object.customer
    case .paymentIntent(let object): object.customer
    case .charge(let object): object.customer
    case .customer(let object): object.id
    case .invoicePayment, .refund, .dispute, .fraudWarning, .creditNote, .product, .price, .paymentFailed, .lineItems,
      .sessions, .sessionsBehind, .refunds, .invoicePayments, .invoices, .invoiceShare, .creditNotes, .missing:
      nil
    }
  }
}
