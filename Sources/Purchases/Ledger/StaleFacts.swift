import Foundation
import Identity
package import StripeAPI

// Facts that no event refreshes: money came, and Stripe sends no event for the object that waits for it. For example, a
// session whose payment is captured later stays as it was when it was completed.

extension Knowledge {
  /// How long after its money the news of a paid invoice may take.
  private static let newsOfInvoices: TimeInterval = 300
  /// How often to ask again for a session whose money came but that still calls itself unpaid.
  private static let pauseBetweenLooks: TimeInterval = 900

  /// Asks again for a session that is not paid although its payment is.
  func staleSessionQuestion(_ session: Stripe.CheckoutSession, now: Date) -> Question? {
    guard session.status == .complete, let came = moneyCame(by: session.paymentIntent) else { return nil }
    let key = FactKey(session.id)
    let known = asOf(key) ?? .distantPast
    let isOlder = known < came || (known == came && !hasFetched(key))
    let isOld = now.timeIntervalSince(known) >= Self.pauseBetweenLooks
    return (isOlder || isOld) && !isMissing(key) ? .checkoutSession(session.id) : nil
  }

  /// When to look again at a session whose money came but that Stripe still calls unpaid. Nil after the first day.
  func nextLookForMoney(of session: Stripe.CheckoutSession, now: Date) -> Date? {
    guard let came = moneyCame(by: session.paymentIntent), now.timeIntervalSince(came) < 86_400 else { return nil }
    return now.addingTimeInterval(Self.pauseBetweenLooks)
  }

  /// When the news came that a payment has its money. The time of the news counts, not of the money, because the session is
  /// older than the news.
  private func moneyCame(by payment: Stripe.PaymentIntentID?) -> Date? {
    guard let payment else { return nil }
    var told = charges.filter { $0.paymentIntent == payment && $0.isPaid }.compactMap { asOf(FactKey($0.id)) }
    if paymentIntent(payment)?.status == "succeeded", let date = asOf(FactKey(payment)) { told.append(date) }
    return told.min()
  }

  /// Whether an invoice bills an item that the subscription does not have, and is not older than the known subscription. Then
  /// the item is new, and only a newer subscription tells which license it continues.
  package func isOlder(_ subscription: Stripe.Subscription, than ledger: Ledger) -> Bool {
    let key = FactKey(subscription.id)
    guard !isMissing(key), let known = asOf(key) else { return false }
    let items = Set(subscription.items.map(\.id))
    return ledger.entries.contains { entry in
      guard let item = entry.item, entry.direction == .charge, !items.contains(item) else { return false }
      return known < entry.billed || (known == entry.billed && !hasFetched(key))
    }
  }

  /// Asks again for invoices that are open although a payment for them came a while ago.
  func staleInvoiceQuestions(now: Date) -> [Question] {
    invoices.filter { $0.status == .open || $0.status == .uncollectible }.compactMap { invoice in
      let told = charges(paying: invoice).filter(\.isPaid).compactMap { asOf(FactKey($0.id)) }.max()
      guard let told, now.timeIntervalSince(told) >= Self.newsOfInvoices else { return nil }
      let key = FactKey(invoice.id)
      guard let known = asOf(key), known < told || (known == told && !hasFetched(key)) else { return nil }
      return .invoice(invoice.id)
    }
  }
}
