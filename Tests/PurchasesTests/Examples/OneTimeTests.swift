import Foundation
import Identity
import LicenseKitAPI
import Testing

@testable import Purchases

@Suite("One-time sales")
struct OneTimeTests {
  @Test("A paid Checkout Session gives one license", arguments: Shape.allCases, [true, false])
  func checkout(shape: Shape, guest: Bool) {
    var story = Story(shape: shape)
    story.buys(one(), guest: guest)
    #expect(story.licenses == ["lk_a active"])
    #expect(story.status == .fulfilled)
    #expect(story.decision?.root?.kind == "checkout")
    #expect(story.decision?.customer?.stripeCustomer == (guest ? nil : "cus_1"))
    #expect(story.problems.isEmpty)
  }

  @Test(
    "A Checkout Session that makes an invoice is sold once, whichever of the two is heard of first",
    arguments: Shape.allCases)
  func invoiceOfSession(shape: Shape) {
    var story = Story(shape: shape)
    story.holdsEvents = true
    story.buys(one(), makesInvoice: true)
    story.deliver("invoice.paid", "checkout.session.completed", "invoice_payment.paid", "payment_intent.succeeded")
    #expect(story.licenses == ["lk_a active"])
    #expect(story.service.purchases.count == 1)
  }

  @Test("A delayed payment gives its license when the money arrives, and not before")
  func delayed() {
    var story = Story()
    story.buys(one(), delayed: true)
    #expect(story.licenses == [])
    #expect(story.status == .waitingPayment)
    story.then(.moneyArrives)
    #expect(story.licenses == ["lk_a active"])
  }

  @Test("A delayed payment that fails gives nothing")
  func delayedFails() {
    var story = Story()
    story.buys(one(), delayed: true)
    story.then(.moneyFails)
    #expect(story.licenses == [])
  }

  @Test("An invoice written by hand gives its licenses when it is paid", arguments: Shape.allCases)
  func invoice(shape: Shape) {
    var story = Story(shape: shape, tellsInvoicePayments: false)
    story.begins(.invoice([one()]))
    #expect(story.licenses == [])
    story.then(.pay)
    #expect(story.licenses == ["lk_a active"])
    #expect(story.decision?.root?.kind == "invoice")
  }

  @Test("An invoice that was given up can still be paid")
  func uncollectible() {
    var story = Story()
    story.begins(.invoice([one()]))
    story.then(.markUncollectible)
    #expect(story.licenses == [])
    story.then(.pay)
    #expect(story.licenses == ["lk_a active"])
  }

  @Test("A payment that belongs to nothing sells nothing")
  func barePayment() {
    var story = Story()
    story.holdsEvents = true
    story.buys(one())
    story.deliver("payment_intent.succeeded", "charge.succeeded")
    #expect(story.licenses == [])
  }

  @Test("A sale for a term counts from the money and ends by itself")
  func term() {
    var story = Story {
      $0.licenseType = .timeLimited
      $0.termDays = 30
    }
    story.buys(one(), delayed: true)
    story.passes(5)
    story.then(.moneyArrives)
    #expect(story.licenses == ["lk_a active"])
    story.passes(26)
    #expect(story.licenses == ["lk_a expired"])
    #expect(story.status == .ended)
  }

  // MARK: Lines and quantities

  @Test("Several lines give a license each, and what is not mapped waits visibly")
  func severalLines() {
    var story = Story()
    story.buys(one(), one("price_b1"), one("price_x1"))
    #expect(story.licenses.sorted() == ["lk_a active", "lk_b active"])
    #expect(story.decision?.unmapped == ["price_x1", "prod_x"])
    #expect(story.decision?.reason?.contains("price_x1") == true)
  }

  @Test("A sale of which nothing is mapped waits for a mapping")
  func unmapped() {
    var story = Story()
    story.buys(one("price_x1"))
    #expect(story.licenses == [])
    #expect(story.status == .waitingMapping)
  }

  @Test("A mapping of a price goes before that of its product")
  func override() {
    var story = Story(Offer(a2: Offer.terms("lk_special")))
    story.buys(one("price_a2"), one("price_a1"))
    #expect(story.licenses.sorted() == ["lk_a active", "lk_special active"])
  }

  @Test("A price that is mapped to several products sells all of them")
  func bundle() {
    var story = Story(Offer(bundled: Offer.terms("lk_c")))
    story.buys(one("price_b1"))
    #expect(story.licenses.sorted() == ["lk_b active", "lk_c active"])
  }

  @Test("A quantity gives one license, a license per unit, or seats, as the mapping says")
  func quantities() {
    var single = Story()
    single.buys(several(3))
    #expect(single.licenses == ["lk_a active"])

    var perUnit = Story { $0.quantity = .perUnit }
    perUnit.buys(several(3))
    #expect(perUnit.licenses == ["lk_a active", "lk_a active", "lk_a active"])

    var seats = Story { $0.quantity = .seats }
    seats.buys(several(3))
    #expect(seats.licenses == ["lk_a active"])
    #expect(seats.features == ["base": -1, "seats": 3])
  }

  @Test("A quantity beyond reason needs a person")
  func absurdQuantity() {
    var story = Story { $0.quantity = .perUnit }
    story.buys(several(5_000))
    #expect(story.licenses == [])
    #expect(story.status == .failed)
  }
}
