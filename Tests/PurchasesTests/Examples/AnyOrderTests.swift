import Foundation
import Identity
import JSON
import LicenseKitAPI
import TestRandom
import Testing

@testable import Purchases

/// A course of things, to be told in many orders.
struct Course: Sendable, CustomTestStringConvertible {
  let name: String
  var offer = Offer()
  var settings = TenantSettings()
  let happens: @Sendable (inout Story) -> Void

  var testDescription: String { name }

  init(
    _ name: String, settings: TenantSettings = .init(), _ terms: (inout Terms) -> Void = { _ in },
    happens: @escaping @Sendable (inout Story) -> Void
  ) {
    self.name = name
    self.settings = settings
    offer = Offer(a: Offer.terms("lk_a", terms))
    self.happens = happens
  }

  static let all: [Course] = [
    Course("a warning of fraud that is settled") {
      $0.onFraudWarning = .suspend
    } happens: { story in
      story.buys(one())
      story.happens { stripe, root in stripe.warns(of: stripe.payment(of: root)) }
      story.happens { stripe, root in stripe.warns(of: stripe.payment(of: root), isActionable: false) }
    },
    Course("a warning of fraud that stays") {
      $0.onFraudWarning = .suspend
    } happens: { story in
      story.subscribes(one())
      story.then(.renew)
      story.happens { stripe, root in stripe.warns(of: stripe.payment(of: root, 1)) }
    },
    Course("a warning, a dispute, and it is won") {
      $0.onFraudWarning = .suspend
    } happens: { story in
      story.buys(one(), makesInvoice: true)
      story.happens { stripe, root in stripe.warns(of: stripe.payment(of: root)) }
      story.then(.dispute(payment: 0, inquiry: true), .disputeEscalates)
      story.happens { stripe, root in stripe.warns(of: stripe.payment(of: root), isActionable: false) }
      story.then(.disputeWon)
    },
    Course("a credit note with its refund") { _ in
    } happens: { story in
      story.begins(.invoice([one()]))
      story.then(.pay, .refund(payment: 0, part: false, pending: true))
      story.happens { stripe, root in stripe.credits(root, amount: 1_000, refunds: stripe.refunds.keys.sorted()) }
      story.then(.refundSucceeds)
    },
    Course("a delayed payment that fails and arrives after all") { _ in
    } happens: { story in
      story.buys(several(2), delayed: true)
      story.then(.moneyFails, .moneyArrives)
    },
    Course("a delayed payment that fails") { _ in
    } happens: { story in
      story.buys(one(), makesInvoice: true, delayed: true)
      story.then(.moneyFails)
    },
    Course("past due for months") {
      $0.licenseType = .perpetual
    } happens: { story in
      story.subscribes(one())
      story.then(.failRenewal)
      for _ in 0..<3 { story.happens { stripe, root in stripe.turnsUnpaid(root, status: "past_due") } }
    },
    Course("past due for months, and paid at last") {
      $0.licenseType = .perpetual
    } happens: { story in
      story.subscribes(one())
      story.then(.failRenewal)
      for _ in 0..<2 { story.happens { stripe, root in stripe.turnsUnpaid(root, status: "past_due") } }
      story.happens { stripe, root in
        stripe.settle(stripe.subscriptions[root]?.latestInvoice ?? "")
        stripe.becomes("active", root)
      }
    },
    Course("invoices that are sent") {
      $0.licenseType = .perpetual
    } happens: { story in
      story.subscribes(one())
      story.happens { stripe, root in stripe.turnsUnpaid(root, status: "active", dueDays: 14) }
      story.happens { stripe, root in stripe.turnsUnpaid(root, status: "active", dueDays: 14) }
    },
    Course("a renewal that is voided") { _ in
    } happens: { story in
      story.subscribes(one())
      story.then(.failRenewal)
      story.happens { stripe, root in
        let invoice = stripe.subscriptions[root]?.latestInvoice ?? ""
        stripe.invoices[invoice]?.status = "void"
        stripe.emit(invoice: invoice, "voided")
        stripe.becomes("active", root)
      }
    },
    Course("an invoice with two payments, returned one by one") { _ in
    } happens: { story in
      story.begins(.invoice([several(2)]))
      story.happens { stripe, root in
        let first = stripe.pays(1_000, of: root)
        _ = stripe.pays(1_000, of: root)
        stripe.invoices[root]?.payment = first
        stripe.invoices[root]?.status = "paid"
        stripe.emit(invoice: root, "paid")
      }
      story.then(.refund(payment: 0, part: false, pending: false), .refund(payment: 1, part: false, pending: false))
    },
    Course("a payment that names what it sells, refunded in part", settings: .init(barePayments: true)) { _ in
    } happens: { story in
      story.happens { stripe, _ in
        let payment = stripe.makePayment(amount: 4_900, isPaid: true)
        stripe.sets(payment, ["metadata": ["licensekit_stripe_product": "prod_a"]])
        stripe.announce(payment: payment)
      }
      story.happens { stripe, _ in
        let payment = stripe.payments.keys.first ?? ""
        stripe.payments[payment]?.refunded = 900
        stripe.emit(charge: payment, "refunded")
      }
    },
    Course("a trial that pauses and is resumed") { _ in
    } happens: { story in
      story.subscribes(one(), trial: true)
      story.then(.trialEndsWithoutPaymentMethod)
      story.happens { stripe, root in
        stripe.subscriptions[root]?.periodStart = stripe.now
        stripe.subscriptions[root]?.periodEnd = stripe.now + month
        stripe.settle(stripe.bill(root, reason: "subscription_cycle"))
        stripe.becomes("active", root, telling: "resumed")
      }
    },
  ]
}

@Suite("Courses of things end the same in whatever order they are told")
struct AnyOrderTests {
  @Test("Promptly, backwards, and shuffled", arguments: Course.all)
  func orders(course: Course) {
    for shape in Shape.allCases {
      var prompt = Story(course.offer, shape: shape)
      prompt.sets(course.settings)
      course.happens(&prompt)
      let expected = Self.usable(&prompt)
      #expect(prompt.problems.isEmpty)

      var random = SeededRandom(seed: 7)
      for round in 0..<12 {
        var story = Story(course.offer, shape: shape)
        story.sets(course.settings)
        story.holdsEvents = true
        course.happens(&story)
        var order = Array(story.stripe.events.indices)
        if round == 0 { order.reverse() } else { order.shuffle(using: &random) }
        story.deliverAll(order)
        #expect(Self.usable(&story) == expected, "\(order.map { story.stripe.events[$0].type })")
        #expect(story.problems.isEmpty)
      }
    }
  }

  /// What can be used now and later.
  private static func usable(_ story: inout Story) -> [[String]] {
    [0, 1, 3, 10, 30, 40].map { days in
      story.passes(days)
      let now = story.now
      return story.service.kit.licenses.values.filter { $0.isUsable(at: now) }.map(\.unit.description).sorted()
    }
  }
}
