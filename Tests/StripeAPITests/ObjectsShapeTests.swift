import Foundation
import Identity
import JSON
import StripeAPI
import Testing

func json(_ text: String) throws -> JSONValue { try JSONValue(parsing: text) }

@Suite("One purchase, told in the shape before and since 2025-03-31")
struct ObjectsShapeTests {
  let renewalBefore = """
    {"id":"in_40","object":"invoice","created":1710000000,"status":"paid","paid":true,"attempt_count":1,
     "billing_reason":"subscription_cycle","customer":"cus_4","customer_email":"four@example.com","customer_name":"Four",
     "subscription":"sub_4","subscription_details":{"metadata":{"team":"a"}},"payment_intent":"pi_4","charge":null,
     "amount_paid":2400,"total":2400,"currency":"eur","due_date":null,"next_payment_attempt":null,
     "lines":{"object":"list","has_more":false,"data":[
      {"id":"il_41","object":"line_item","type":"subscription","amount":2000,"quantity":4,"proration":false,
       "subscription":"sub_4","subscription_item":"si_41","period":{"start":1710000000,"end":1712678400},
       "price":{"id":"price_41","object":"price","product":"prod_41","type":"recurring"},"metadata":{}},
      {"id":"il_42","object":"line_item","type":"invoiceitem","amount":400,"quantity":1,"proration":true,
       "subscription":"sub_4","subscription_item":"si_41","period":{"start":1709000000,"end":1710000000},
       "price":{"id":"price_41","object":"price","product":"prod_41","type":"recurring"},"metadata":{}}]}}
    """
  let renewalSince = """
    {"id":"in_40","object":"invoice","created":1710000000,"status":"paid","attempt_count":1,
     "billing_reason":"subscription_cycle","customer":"cus_4","customer_email":"four@example.com","customer_name":"Four",
     "parent":{"type":"subscription_details","quote_details":null,
      "subscription_details":{"subscription":"sub_4","metadata":{"team":"a"}}},
     "payments":{"object":"list","has_more":false,"data":[
      {"id":"inpay_4","object":"invoice_payment","payment":{"type":"payment_intent","payment_intent":"pi_4"}}]},
     "amount_paid":2400,"amount_overpaid":0,"total":2400,"currency":"eur","due_date":null,"next_payment_attempt":null,
     "lines":{"object":"list","has_more":false,"data":[
      {"id":"il_41","object":"line_item","amount":2000,"quantity":4,"subscription":"sub_4",
       "period":{"start":1710000000,"end":1712678400},"metadata":{},
       "parent":{"type":"subscription_item_details","invoice_item_details":null,"subscription_item_details":
        {"subscription":"sub_4","subscription_item":"si_41","invoice_item":null,"proration":false,"proration_details":null}},
       "pricing":{"type":"price_details","price_details":{"price":"price_41","product":"prod_41"}}},
      {"id":"il_42","object":"line_item","amount":400,"quantity":1,"subscription":"sub_4",
       "period":{"start":1709000000,"end":1710000000},"metadata":{},
       "parent":{"type":"invoice_item_details","subscription_item_details":null,"invoice_item_details":
        {"invoice_item":"ii_4","subscription":"sub_4","proration":true,"proration_details":null}},
       "pricing":{"type":"price_details","price_details":{"price":"price_41","product":"prod_41"}}}]}}
    """

  @Test("An invoice reads the same from both")
  func invoice() throws {
    let before = try Stripe.Invoice(json(renewalBefore))
    let since = try Stripe.Invoice(json(renewalSince))
    #expect(since == before)
    #expect(since.lines == before.lines)
    #expect(before.subscription == "sub_4")
    #expect(before.paymentIntents == ["pi_4"])
    #expect(before.status == .paid)
    #expect(before.lines.map(\.isProration) == [false, true])
    #expect(before.lines.map(\.subscriptionItem) == ["si_41", nil])
    #expect(before.lines.map(\.product) == ["prod_41", "prod_41"])
    #expect(before.lines.first?.quantity == 4)
    #expect(before.lines.first?.periodEnd == Date(timeIntervalSince1970: 1_712_678_400))
  }

  @Test("An invoice for a single sale has no subscription in either shape")
  func singleSale() throws {
    let head = #""id":"in_5","object":"invoice","status":"paid","billing_reason":"manual","created":1710000000"#
    let line = #""id":"il_5","object":"line_item","amount":900,"quantity":3,"metadata":{},"period":{"start":1,"end":1}"#
    let before = try Stripe.Invoice(
      json(
        #"{\#(head),"paid":true,"subscription":null,"payment_intent":null,"charge":"py_5","lines":{"has_more":true,"data":[{\#(line),"type":"invoiceitem","proration":false,"subscription":null,"price":{"id":"price_5","product":"prod_5"}}]}}"#
      ))
    let since = try Stripe.Invoice(
      json(
        #"{\#(head),"parent":null,"payments":{"data":[{"payment":{"type":"charge","charge":"py_5"}}]},"lines":{"has_more":true,"data":[{\#(line),"subscription":null,"parent":{"type":"invoice_item_details","subscription_item_details":null,"invoice_item_details":{"invoice_item":"ii_5","proration":false,"subscription":null}},"pricing":{"type":"price_details","price_details":{"price":"price_5","product":"prod_5"}}}]}}"#
      ))
    #expect(before == since)
    #expect(before.subscription == nil)
    #expect(before.charge == "py_5")
    #expect(before.hasMoreLines)
    #expect(before.lines.first?.subscription == nil)
  }

  @Test("A subscription reads the same from both, whichever level the period is on")
  func subscription() throws {
    let head =
      #""id":"sub_6","object":"subscription","status":"past_due","customer":"cus_6","created":1700000000,"cancel_at_period_end":true,"cancel_at":1702592000,"canceled_at":1701000000,"ended_at":null,"trial_end":1700500000,"pause_collection":{"behavior":"void","resumes_at":null},"latest_invoice":"in_6","metadata":{"seat":"one"}"#
    let price =
      #""price":{"id":"price_6","object":"price","product":"prod_6","recurring":{"interval":"year","interval_count":1,"usage_type":"licensed"}}"#
    let before = try Stripe.Subscription(
      json(
        #"{\#(head),"current_period_start":1700000000,"current_period_end":1702592000,"items":{"object":"list","has_more":false,"data":[{"id":"si_6","object":"subscription_item","quantity":2,\#(price)}]}}"#
      ))
    let since = try Stripe.Subscription(
      json(
        #"{\#(head),"billing_mode":{"type":"flexible"},"items":{"object":"list","has_more":false,"data":[{"id":"si_6","object":"subscription_item","quantity":2,"current_period_start":1700000000,"current_period_end":1702592000,\#(price)}]}}"#
      ))
    #expect(before == since)
    #expect(before.status == .pastDue)
    #expect(before.isCollectionPaused)
    #expect(before.cancelAtPeriodEnd)
    #expect(before.items.first?.currentPeriodEnd == Date(timeIntervalSince1970: 1_702_592_000))
    #expect(before.items.first?.quantity == 2)
    #expect(before.metadata == ["seat": "one"])
  }

  @Test("The complete list of items or lines takes the place of a cut one")
  func completed() throws {
    let cut = try Stripe.Subscription(
      json(
        #"{"id":"sub_7","status":"active","items":{"has_more":true,"data":[{"id":"si_1","price":{"id":"p","product":"q"},"current_period_end":5}]}}"#
      ))
    #expect(cut.hasMoreItems)
    let items = try [1, 2, 3].map {
      try json(#"{"id":"si_\#($0)","price":{"id":"p","product":"q"},"current_period_end":\#($0)}"#)
    }
    let whole = try cut.withAllItems(items)
    #expect(!whole.hasMoreItems)
    #expect(whole.items.map(\.id) == ["si_1", "si_2", "si_3"])
    #expect(whole.items.map(\.currentPeriodEnd?.timeIntervalSince1970) == [1, 2, 3])

    let invoice = try Stripe.Invoice(json(renewalSince)).withAllLines([
      json(#"{"id":"il_1"}"#), json(#"{"id":"il_2"}"#),
    ])
    #expect(invoice.lines.map(\.id) == ["il_1", "il_2"])
    #expect(!invoice.hasMoreLines)
    #expect(invoice.subscription == "sub_4")
  }

  @Test("An item that has only a plan is read by it")
  func plan() throws {
    let subscription = try Stripe.Subscription(
      json(
        #"{"id":"sub_9","status":"active","current_period_end":9,"items":{"has_more":false,"data":[{"id":"si_9","quantity":3,"plan":{"id":"gold","product":"prod_9","usage_type":"licensed"}}]}}"#
      ))
    #expect(!subscription.hasMoreItems)
    #expect(subscription.items.map(\.price) == ["gold"])
    #expect(subscription.items.map(\.product) == ["prod_9"])
    #expect(subscription.items.map(\.quantity) == [3])
    #expect(subscription.items.first?.currentPeriodEnd?.timeIntervalSince1970 == 9)
  }

  @Test(
    "Where an old shape does not say what is sold, the items are asked for",
    arguments: [
      // Plans had no product before 2018-02-05.
      #""items":{"has_more":false,"data":[{"id":"si_9","quantity":3,"plan":{"id":"gold","name":"Gold"}}]}"#,
      // One plan for the whole subscription, from before there were items.
      #""plan":{"id":"gold","name":"Gold"},"quantity":3"#,
    ])
  func itemsAreAskedFor(_ items: String) throws {
    let subscription = try Stripe.Subscription(
      json(#"{"id":"sub_9","status":"active","current_period_start":8,"current_period_end":9,\#(items)}"#))
    #expect(subscription.items.isEmpty)
    #expect(subscription.hasMoreItems)
    let whole = try subscription.withAllItems([
      json(
        #"{"id":"si_9","quantity":3,"price":{"id":"gold","product":"prod_9"},"current_period_start":8,"current_period_end":9}"#
      )
    ])
    #expect(!whole.hasMoreItems)
    #expect(whole.items.map(\.product) == ["prod_9"])
  }

  @Test("A dispute without an id is known by its charge, and only by that")
  func disputeWithoutID() throws {
    let former = #""object":"dispute","amount":900,"status":"needs_response","reason":"general","created":1"#
    let dispute = try Stripe.Dispute(json(#"{"charge":"ch_9",\#(former)}"#))
    #expect(dispute.id == "dispute_of_ch_9")
    #expect(dispute.charge == "ch_9")
    #expect(throws: StripeObjectError.self) { try Stripe.Dispute(json("{\(former)}")) }
  }

  @Test("A dispute is the same one with its id and without; a later one of the charge is another")
  func disputeWithoutIDJoins() throws {
    func dispute(_ id: String, created: Int) throws -> Stripe.Dispute {
      try Stripe.Dispute(json(#"{\#(id)"charge":"ch_9","status":"lost","created":\#(created)}"#))
    }
    let unnamed = try dispute("", created: 1)
    let named = try dispute(#""id":"du_9","#, created: 1)
    #expect(unnamed.isWithoutID && !named.isWithoutID)
    #expect(unnamed.isSame(as: named) && named.isSame(as: unnamed))
    #expect(unnamed.identified(by: named) == named)
    #expect(try !unnamed.isSame(as: dispute(#""id":"du_8","#, created: 2)))
    #expect(try !named.isSame(as: dispute(#""id":"du_8","#, created: 1)))
    #expect(try dispute("", created: 0).isSame(as: named), "a version may not tell when it was made")
  }

  @Test(
    "An invoice without a status is read by what it says of itself",
    arguments: [
      (#""paid":true,"closed":true,"forgiven":false,"attempted":true"#, Stripe.Invoice.Status.paid),
      (#""paid":false,"closed":false,"forgiven":false,"attempted":false"#, .draft),
      (#""paid":false,"closed":false,"forgiven":false,"attempted":true"#, .open),
      (#""paid":false,"closed":false,"forgiven":false,"attempted":false,"billing":"send_invoice","due_date":9"#, .open),
      (#""paid":false,"closed":true,"forgiven":false,"attempted":true"#, .uncollectible),
      (#""paid":false,"closed":true,"forgiven":true,"attempted":true"#, .uncollectible),
      (#""paid":false,"attempted":true,"status":"draft""#, .draft),
      (#""paid":false,"attempted":true,"status":"a new word""#, .draft),
    ])
  func formerInvoices(_ says: String, status: Stripe.Invoice.Status) throws {
    #expect(try Stripe.Invoice(json(#"{"id":"in_9","created":1,\#(says)}"#)).status == status)
  }

  @Test("An id may be the whole object when somebody expanded it")
  func expanded() throws {
    let session = try Stripe.CheckoutSession(
      json(
        #"{"id":"cs_8","mode":"payment","status":"complete","payment_status":"paid","created":1,"customer":{"id":"cus_8","object":"customer"},"payment_intent":{"id":"pi_8"},"invoice":{"id":"in_8"},"subscription":null,"payment_link":{"id":"plink_8"}}"#
      ))
    #expect(session.customer == "cus_8")
    #expect(session.paymentIntent == "pi_8")
    #expect(session.invoice == "in_8")
    #expect(session.subscription == nil)
    #expect(session.paymentLink == "plink_8")
    let invoice = try Stripe.Invoice(
      json(
        #"{"id":"in_8","status":"open","parent":{"type":"subscription_details","subscription_details":{"subscription":{"id":"sub_8"}}},"customer":{"id":"cus_8"},"payments":{"data":[{"payment":{"payment_intent":{"id":"pi_8"}}}]},"lines":{"data":[{"id":"il_8","pricing":{"price_details":{"price":{"id":"price_8"},"product":{"id":"prod_8"}}}}]}}"#
      ))
    #expect(invoice.subscription == "sub_8")
    #expect(invoice.paymentIntents == ["pi_8"])
    #expect(invoice.lines.first?.price == "price_8")
    #expect(invoice.lines.first?.product == "prod_8")
    let line = try Stripe.LineItem(
      json(#"{"id":"li_8","price":{"id":"price_8","product":{"id":"prod_8"}},"quantity":null}"#))
    #expect(line.product == "prod_8")
    #expect(line.quantity == 1)
    let intent = try Stripe.PaymentIntent(json(#"{"id":"pi_8","latest_charge":{"id":"ch_8"},"invoice":{"id":"in_8"}}"#))
    #expect(intent.latestCharge == "ch_8")
    #expect(intent.invoice == "in_8")
    #expect(try Stripe.Charge(json(#"{"id":"ch_8","payment_intent":{"id":"pi_8"}}"#)).paymentIntent == "pi_8")
    #expect(try Stripe.Dispute(json(#"{"id":"du_8","charge":{"id":"ch_8"}}"#)).charge == "ch_8")
    #expect(try Stripe.Refund(json(#"{"id":"re_8","charge":{"id":"ch_8"}}"#)).charge == "ch_8")
  }

  @Test("Plans, from before there were prices, are read like prices")
  func plans() throws {
    let subscription = try Stripe.Subscription(
      json(
        #"{"id":"sub_9","status":"active","current_period_end":9,"items":{"data":[{"id":"si_9","plan":{"id":"plan_9","object":"plan","product":"prod_9","usage_type":"metered"}}]}}"#
      ))
    #expect(subscription.items.first?.price == "plan_9")
    #expect(subscription.items.first?.isMetered == true)
    #expect(subscription.items.first?.quantity == 1)
    let price = try Stripe.Price(
      json(
        #"{"id":"plan_9","object":"plan","product":"prod_9","interval":"month","interval_count":3,"amount":700,"active":true}"#
      ))
    #expect(price.isRecurring)
    #expect(price.interval == "month")
    #expect(price.intervalCount == 3)
    #expect(price.unitAmount == 700)
  }
}
