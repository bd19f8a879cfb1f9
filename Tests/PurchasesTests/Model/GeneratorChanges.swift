import TestRandom

/// Which changes a history is made of, and how often.
extension Generator {
  mutating func oneTimeChange() -> Change {
    switch random.below(3) {
    case 0:
      random.pick([
        .moneyArrives, .moneyArrives, .moneyFails, .pay, .pay, .payOutside, .void, .markUncollectible,
      ])
    case 1: random.pick([.capture(part: false), .capture(part: true), .releaseHold, .pay, .moneyArrives])
    default: money()
    }
  }

  private mutating func money() -> Change {
    switch random.below(9) {
    case 0...1:
      .refund(payment: random.pick([0, 0, 0, 1]), part: random.once(in: 3), pending: random.once(in: 3))
    case 2: .refundSucceeds
    case 3: .refundFails
    case 4: .dispute(payment: random.pick([0, 0, 1]), inquiry: random.once(in: 3))
    case 5: random.pick([.disputeEscalates, .disputeWon])
    case 6: .creditOutside(part: random.once(in: 3))
    case 7: random.pick([.creditToBalance, .refund(payment: 0, part: false, pending: false)])
    default: .disputeLost
    }
  }

  mutating func subscriptionChange() -> Change {
    switch random.below(22) {
    case 0...4: random.pick([.renew, .payFirst, .renew, .renew])
    case 5: random.pick([.failRenewal, .retryFails, .neverPay])
    case 6: random.pick([.failRenewal, .renewUnderWay, .renewHeldBack])
    case 7:
      random.pick([
        .recover, .trialEndsWithoutPaymentMethod, .trialEndsCanceled, .becomesOverdue, .finalizeDraft(isPaid: true),
      ])
    case 8: random.pick([.debitArrives, .debitFails, .finalizeDraft(isPaid: true), .finalizeDraft(isPaid: false)])
    case 9: random.pick([.endDunning("canceled"), .endDunning("unpaid"), .endDunning("paused"), .recover])
    case 10: random.pick([.pay, .payOutside, .void, .markUncollectible])
    case 11:
      random.pick([.cancelNow, .cancelNowWithCredit, .cancelAtPeriodEnd, .cancelAtPeriodEnd, .keepAfterAll])
    case 12: .setQuantity(item: random.below(2), random.pick([1, 2, 3, 0]), billing: billing())
    case 13...14: .setPrice(item: random.below(2), price(), billing: billing())
    case 15:
      random.pick([
        .addItem(wish(), billing: billing()), .addItem(wish(), billing: billing()),
        .replaceItem(random.below(2), with: price(), billing: billing()),
        .addTrialOffer(wish()),
      ])
    case 16: .removeItem(random.below(2), billing: random.pick([.atOnce, .deferred, .none]))
    case 17:
      random.pick([
        .setPriceWithAddOn(item: 0, price(), billing: random.pick([.atOnce, .atOnce, .atOnceFails])),
        .addPendingAddOn, .moveBillingDate(credit: random.once(in: 2)),
        .turnToNextPhase(item: random.below(2), price(), isPaid: !random.once(in: 3)),
      ])
    case 18:
      random.pick([
        .pauseCollection, .pauseCollectionKeepingDrafts, .pauseCollectionUncollectible, .resumeCollection,
        .requestPause, .requestPause,
      ])
    case 19: random.pick([.resumeCollection, resume(), resume()])
    default: money()
    }
  }

  /// What is likely to come next where something has been begun: without it the ends of long stories would be rare.
  func followers(of root: String, in stripe: StripeModel) -> [Change] {
    var changes: [Change] = []
    if let payment = stripe.sessions[root]?.payment.flatMap({ stripe.payments[$0] }), !payment.isPaid {
      changes += payment.stage == .held ? [.capture(part: false), .capture(part: true), .releaseHold] : [.moneyArrives]
    }
    guard let subscription = stripe.subscriptions[root] else { return changes }
    switch subscription.status {
    case "paused":
      for isPaid in [true, false] {
        changes += [.resume(atOldDate: true, isPaid: isPaid), .resume(atOldDate: false, isPaid: isPaid)]
      }
      changes.append(.pay)
    case "past_due":
      changes += [
        .recover, .endDunning("canceled"), .endDunning("unpaid"), .endDunning("paused"), .pay, .payOutside, .void,
        .markUncollectible, .retryFails, .failRenewal,
      ]
    case "trialing": changes += [.renew, .failRenewal, .trialEndsWithoutPaymentMethod, .trialEndsCanceled]
    case "incomplete": changes += [.payFirst, .payFirst, .neverPay]
    default: break
    }
    if stripe.partner(of: subscription) != nil { changes += [.renewTogether, .renewTogether, .renewTogether] }
    if subscription.pause != nil { changes += [.resumeCollection, .resumeCollection, .renew] }
    let invoices = stripe.invoices.values.filter { $0.subscription == root }.sorted { $0.number < $1.number }
    for invoice in invoices {
      if invoice.status == "draft" { changes += [.finalizeDraft(isPaid: true), .finalizeDraft(isPaid: false)] }
      if invoice.status == "open", invoice.dueDate != nil { changes += [.becomesOverdue, .pay, .payOutside] }
      if invoice.status == "open", invoice.payment.flatMap({ stripe.payments[$0]?.stage }) == .processing {
        changes += [.debitArrives, .debitFails]
      }
    }
    return changes
  }

  private mutating func billing() -> Billing {
    random.pick([.atOnce, .atOnce, .atOnceFails, .atOnceFails, .atOnceUnderWay, .deferred, .deferred, .none])
  }

  private mutating func price() -> String {
    random.pick(["price_a1", "price_a1", "price_a2", "price_a2", "price_b1", "price_b1", "price_a1y", "price_b1y"])
  }

  private mutating func resume() -> Change { .resume(atOldDate: random.once(in: 2), isPaid: random.once(in: 2)) }
}
