import Foundation
import Identity
import LicenseKitAPI
import StripeAPI

extension Decider {
  func decideSubscription(_ id: Stripe.SubscriptionID, _ knowledge: Knowledge) -> Decision {
    guard let subscription = knowledge.subscription(id) else {
      return knowledge.isMissing(FactKey(id))
        ? Decision(status: .ended, reason: "Stripe does not know subscription \(id).")
        : Decision(status: .pending, questions: [.subscription(id)])
    }
    var questions = knowledge.moneyQuestions + knowledge.unlinkedPaymentQuestions
    if subscription.hasMoreItems { questions.append(.subscription(id)) }
    // What is paid is told by invoices: the newest one decides between "paid" and "due".
    if let latest = subscription.latestInvoice, subscription.status != .incompleteExpired,
      knowledge.invoice(latest) == nil, !knowledge.isMissing(FactKey(latest))
    {
      questions.append(.invoice(latest))
    }
    questions += knowledge.invoices.filter { $0.hasMoreLines && $0.subscription == id }.map { .invoice($0.id) }
    guard questions.isEmpty else { return Decision(status: .pending, questions: Knowledge.unique(questions)) }

    let session = knowledge.sessions.first { $0.subscription == id }
    let invoice = knowledge.invoices.first { $0.subscription == id && $0.customerEmail != nil }
    let customerID = subscription.customer ?? session?.customer
    let customer = customer(
      stripe: customerID, guest: id.rawValue, email: session?.email ?? invoice?.customerEmail,
      name: session?.name ?? invoice?.customerName, known: customerID.flatMap { knowledge[FactKey($0)] })

    let items = subscription.items.filter { !$0.isMetered }
    let byKey = Dictionary(items.map { ($0.id.rawValue, $0) }, uniquingKeysWith: { first, _ in first })
    let extras = knowledge.oneTimeLines(of: subscription)
    let extrasByKey = Dictionary(extras.map { ($0.line.id.rawValue, $0) }, uniquingKeysWith: { first, _ in first })
    let sold =
      items.map { item in
        SoldLine(
          key: item.id.rawValue, price: item.price, product: item.product, quantity: item.quantity,
          former: knowledge.formerPrices(of: item, in: subscription))
      }
      + extras.map {
        SoldLine(key: $0.line.id.rawValue, price: $0.line.price, product: $0.line.product, quantity: $0.line.quantity)
      }
    return decision(lines: sold, customer: customer) { line, agreement in
      if let extra = extrasByKey[line.key] {
        return oneTimeLine(
          line, agreement, source: id.rawValue,
          standing: knowledge.standing(of: extra.invoice, terms: agreement.terms, now: now))
      }
      guard let item = byKey[line.key] else { return nil }
      let standing = knowledge.standing(of: item, in: subscription, terms: agreement.terms, now: now)
      return subscriptionLine(line, agreement, item: item, subscription: subscription, standing: standing, knowledge)
    }
  }

  private func subscriptionLine(
    _ line: SoldLine, _ agreement: Agreement, item: Stripe.Subscription.Item, subscription: Stripe.Subscription,
    standing: Standing, _ knowledge: Knowledge
  ) -> LineOutcome {
    let product = agreement.terms.product
    let record = "\(subscription.id):\(item.id)"
    let paid = knowledge.invoices(for: item, of: subscription).filter {
      $0.invoice.status == .paid && !$0.invoice.isCreditedInFull
    }
    let own = paid.filter { sold($0, under: agreement, of: line) }
    let orders = own.map { entry in
      DesiredOrder(
        externalID: "\(entry.invoice.id):\(entry.line.id)", product: product,
        isRefunded: knowledge.moneyBack(of: entry.invoice).isFullyRefunded,
        subscription: record, periodStart: entry.line.periodStart, periodEnd: entry.line.periodEnd)
    }
    let wasSold = standing.paidThrough != nil && !standing.awaitsPayment
    let start =
      (own.isEmpty ? paid : own).compactMap(\.line.periodStart).min() ?? item.currentPeriodStart ?? subscription.created
    let units =
      wasSold
      ? units(
        of: line, agreement, standing: standing, startsAt: start, order: orders.last?.externalID, subscription: record)
      : []
    return LineOutcome(
      line: DesiredLine(
        key: LineKey(line: line.key, product: product), agreement: agreement, price: line.price,
        stripeProduct: line.product, quantity: line.quantity,
        subscription: wasSold ? desiredRecord(record, product: product, item: item, subscription: subscription) : nil,
        orders: wasSold ? orders : [], units: units, awaitsPayment: standing.awaitsPayment, causes: standing.causes),
      standing: standing)
  }

  /// Whether a period was sold as the LicenseKit product of these terms: before a change of the plan it may have been
  /// another.
  private func sold(_ period: Knowledge.SoldPeriod, under agreement: Agreement, of line: SoldLine) -> Bool {
    let (price, product) = (period.line.price, period.line.product)
    if price == agreement.price || price == line.price { return true }
    let then = Mapping.applying(to: price, product: product, among: mappings).map(\.terms.product)
    return then.isEmpty || then.contains(agreement.terms.product)
  }

  private func desiredRecord(
    _ externalID: String, product: ProductID, item: Stripe.Subscription.Item, subscription: Stripe.Subscription
  ) -> DesiredSubscription {
    let status: SubscriptionStatus =
      switch subscription.status {
      case .trialing: .trialing
      case .active, .incomplete, .unknown: .active
      case .pastDue, .unpaid: .pastDue
      case .paused: .paused
      case .canceled, .incompleteExpired: .canceled
      }
    let start = item.currentPeriodStart ?? subscription.created
    let end = item.currentPeriodEnd ?? subscription.trialEnd ?? subscription.endedAt ?? start
    return DesiredSubscription(
      externalID: externalID, product: product, status: status, periodStart: start,
      periodEnd: max(end, start.addingTimeInterval(1)),
      cancelAtPeriodEnd: subscription.status.isTerminal
        ? false : subscription.cancelAtPeriodEnd || subscription.cancelAt != nil,
      canceledAt: status == .canceled ? subscription.endedAt ?? subscription.canceledAt ?? end : nil)
  }
}
