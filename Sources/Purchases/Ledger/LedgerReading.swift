package import Foundation
import Identity
import StripeAPI

extension Ledger {
  /// The entries of one subscription: every invoice line that is about it, on whichever invoice it stands.
  init(of subscription: Stripe.Subscription, in knowledge: Knowledge) {
    let metered = Set(subscription.items.filter(\.isMetered).map(\.id))
    let meteredPrices = Set(subscription.items.filter(\.isMetered).map(\.price))
    var currencies: Set<String> = []
    let invoices = knowledge.invoices.sorted { ($0.created, $0.id) < ($1.created, $1.id) }
    for invoice in invoices {
      let lines = invoice.lines(of: subscription.id).filter { line in
        !(line.subscriptionItem.map(metered.contains) ?? false) && !(line.price.map(meteredPrices.contains) ?? false)
          && !line.isFreeTrial(of: subscription)
      }
      guard !lines.isEmpty else { continue }
      if invoice.status != .void, let currency = invoice.currency {
        currencies.insert(currency)
        if currencies.count > 1 {
          anomalies.append(
            Anomaly(
              invoice: invoice.id,
              sentence: "Invoice \(invoice.id) is in another currency than the invoices of the subscription before it.")
          )
        }
      }
      let returns = Returns(of: invoice, in: knowledge)
      let coverage = Coverage(invoice, of: subscription.status, paidAt: knowledge.moneyCame(for: invoice))
      for line in lines { add(line, of: invoice, coverage, returns) }
    }
  }

  /// The entries of an invoice that belongs to no subscription. Each line is a one-time purchase, whatever its dates say.
  init(of invoice: Stripe.Invoice, in knowledge: Knowledge) {
    let returns = Returns(of: invoice, in: knowledge)
    let coverage = Coverage(invoice, of: nil, paidAt: knowledge.moneyCame(for: invoice))
    for line in invoice.lines where !line.isProration && line.subscriptionItem == nil && line.amount >= 0 {
      add(line, of: invoice, coverage, returns)
    }
    for index in entries.indices { entries[index].span = nil }
  }

  private mutating func add(
    _ line: Stripe.Invoice.Line, of invoice: Stripe.Invoice, _ coverage: Coverage, _ returns: Returns
  ) {
    if line.kind == .unknown, line.price != nil || line.product != nil {
      anomalies.append(
        Anomaly(
          invoice: invoice.id,
          sentence: "Line \(line.id) of invoice \(invoice.id) is of a kind that this service does not know."))
      return
    }
    var span: Span?
    if let start = line.periodStart, let end = line.periodEnd {
      guard start <= end else {
        anomalies.append(
          Anomaly(
            invoice: invoice.id, sentence: "Line \(line.id) of invoice \(invoice.id) ends before it begins."))
        return
      }
      span = Span(start: start, end: end)
    }
    // A negative line that is no proration is a discount or an adjustment: it takes back nothing that was sold.
    let isCredit = line.isProration && (line.amount < 0 || line.creditsLines == true)
    if line.amount < 0, !isCredit { return }
    entries.append(
      Entry(
        id: line.id.rawValue, invoice: invoice.id, item: line.subscriptionItem, price: line.price,
        product: line.product, quantity: max(0, line.quantity), amount: line.amount, span: span,
        direction: isCredit ? .credit : .charge, isChange: line.isProration, billed: invoice.created,
        coverage: coverage, returned: returns.returned(line)))
  }
}

extension Stripe.Invoice.Line {
  /// The line of amount zero with which a trial begins: it sells nothing.
  fileprivate func isFreeTrial(of subscription: Stripe.Subscription) -> Bool {
    guard amount == 0, !isProration, let start = periodStart else { return false }
    if let trialEnd = subscription.trialEnd, start < trialEnd { return true }
    guard let item = subscription.items.first(where: { $0.id == subscriptionItem }), let end = item.trialEnd else {
      return false
    }
    return start < end && (item.trialStart.map { $0 <= start } ?? true)
  }
}

extension Ledger.Entry {
  /// A line that was bought once, through Checkout or by a payment that names it.
  package init(_ line: SoldLine, paidAt: Date, _ money: Reversals) {
    self.init(
      id: line.key, invoice: nil, item: nil, price: line.price, product: line.product, quantity: line.quantity,
      amount: 0, span: nil, direction: .charge, isChange: false, billed: paidAt, coverage: .paid(at: paidAt),
      returned: money.isLost
        ? .lost : money.isFullyRefunded ? .all : money.isRefundPending ? .pending : money.hasReturns ? .part : .nothing)
  }
}
