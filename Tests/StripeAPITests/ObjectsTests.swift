import Foundation
import Identity
import JSON
import StripeAPI
import Testing

@Suite("Stripe's objects")
struct ObjectsTests {
  @Test("A guest's session: no customer, but the buyer's own entries")
  func guestSession() throws {
    let session = try Stripe.CheckoutSession(
      json(
        """
        {"id":"cs_test_20","object":"checkout.session","mode":"payment","status":"complete","payment_status":"paid",
         "customer":null,"customer_email":"prefill@example.com","customer_details":{"email":"guest@example.com","name":"G"},
         "client_reference_id":"order-9","payment_intent":"pi_20","subscription":null,"invoice":null,"payment_link":"plink_20",
         "metadata":{"campaign":"may"},"amount_total":4900,"currency":"eur","livemode":false,"created":1700000000}
        """))
    #expect(session.customer == nil)
    #expect(session.email == "guest@example.com")
    #expect(session.name == "G")
    #expect(session.clientReferenceID == "order-9")
    #expect(session.metadata == ["campaign": "may"])
    #expect(session.amountTotal == 4900)
    #expect(session.isPaid)
  }

  @Test(
    "A session counts as paid when it is complete and its money is not still on the way",
    arguments: [
      ("complete", "paid", true), ("complete", "no_payment_required", true), ("complete", "unpaid", false),
      ("open", "unpaid", false), ("open", "paid", false), ("expired", "unpaid", false),
      ("complete", "something_new", false),
    ])
  func paid(_ status: String, _ payment: String, _ expected: Bool) throws {
    let session = try Stripe.CheckoutSession(
      json(#"{"id":"cs_1","mode":"payment","status":"\#(status)","payment_status":"\#(payment)","created":1}"#))
    #expect(session.isPaid == expected)
  }

  @Test("A paid session from before sessions had a status is complete")
  func withoutStatus() throws {
    #expect(try Stripe.CheckoutSession(json(#"{"id":"cs_1","mode":"payment","payment_status":"paid"}"#)).isPaid)
    #expect(try !Stripe.CheckoutSession(json(#"{"id":"cs_1","mode":"payment","payment_status":"unpaid"}"#)).isPaid)
  }

  @Test("A mode this program does not know is no sale of any known kind")
  func otherMode() throws {
    #expect(try Stripe.CheckoutSession(json(#"{"id":"cs_1","mode":"setup"}"#)).mode == .setup)
    #expect(try Stripe.CheckoutSession(json(#"{"id":"cs_1","mode":"auction"}"#)).mode == .other)
  }

  @Test(
    "Every status of a subscription is known, and an unknown one is no payment",
    arguments: [
      ("incomplete", Stripe.Subscription.Status.incomplete, false), ("incomplete_expired", .incompleteExpired, true),
      ("trialing", .trialing, false), ("active", .active, false), ("past_due", .pastDue, false),
      ("unpaid", .unpaid, false), ("paused", .paused, false), ("canceled", .canceled, true),
      ("brand_new", .unknown, false),
    ])
  func statuses(_ word: String, _ expected: Stripe.Subscription.Status, _ isTerminal: Bool) throws {
    let subscription = try Stripe.Subscription(json(#"{"id":"sub_1","status":"\#(word)","items":{"data":[]}}"#))
    #expect(subscription.status == expected)
    #expect(subscription.status.isTerminal == isTerminal)
  }

  @Test("A metered item sells usage and has no quantity")
  func metered() throws {
    let subscription = try Stripe.Subscription(
      json(
        #"{"id":"sub_1","status":"active","items":{"data":[{"id":"si_1","price":{"id":"p","product":"q","recurring":{"usage_type":"metered"}}}]}}"#
      ))
    #expect(subscription.items.first?.isMetered == true)
  }

  @Test("The status of an invoice decides, not the flag that newer versions dropped")
  func invoiceStatus() throws {
    func status(_ fields: String) throws -> Stripe.Invoice.Status {
      try Stripe.Invoice(json(#"{"id":"in_1",\#(fields)}"#)).status
    }
    #expect(try status(#""status":"paid""#) == .paid)
    #expect(try status(#""status":"void","paid":true"#) == .void)
    #expect(try status(#""status":"uncollectible""#) == .uncollectible)
    #expect(try status(#""paid":true"#) == .paid)
  }

  @Test("An invoice payment links an invoice to what paid it")
  func invoicePayment() throws {
    let byIntent = try Stripe.InvoicePayment(
      json(
        #"{"id":"inpay_1","object":"invoice_payment","invoice":"in_1","status":"paid","payment":{"type":"payment_intent","payment_intent":"pi_1"}}"#
      ))
    #expect(byIntent.paymentIntent == "pi_1")
    #expect(byIntent.isPaid)
    let byCharge = try Stripe.InvoicePayment(
      json(#"{"id":"inpay_2","invoice":{"id":"in_1"},"status":"open","payment":{"type":"charge","charge":"ch_1"}}"#))
    #expect(byCharge.invoice == "in_1")
    #expect(byCharge.charge == "ch_1")
    #expect(!byCharge.isPaid)
  }

  @Test(
    "A charge is fully refunded when all that was taken is back, however many refunds that took",
    arguments: [
      (#""amount":4900,"amount_captured":4900,"amount_refunded":1000,"refunded":false"#, false),
      (#""amount":4900,"amount_captured":4900,"amount_refunded":4899,"refunded":false"#, false),
      (#""amount":4900,"amount_captured":4900,"amount_refunded":4900,"refunded":true"#, true),
      (#""amount":4900,"amount_captured":4900,"amount_refunded":4900"#, true),
      (#""amount":0,"amount_captured":0,"amount_refunded":0,"refunded":false"#, false),
    ])
  func refunded(_ fields: String, _ expected: Bool) throws {
    #expect(try Stripe.Charge(json(#"{"id":"ch_1",\#(fields)}"#)).isFullyRefunded == expected)
  }

  @Test(
    "An inquiry is no dispute: no money has moved",
    arguments: [
      ("warning_needs_response", Stripe.Dispute.Stage.inquiry), ("warning_under_review", .inquiry),
      ("warning_closed", .inquiry), ("prevented", .inquiry), ("needs_response", .open), ("under_review", .open),
      ("won", .won), ("lost", .lost),
    ])
  func stage(_ word: String, _ expected: Stripe.Dispute.Stage) throws {
    #expect(try Stripe.Dispute(json(#"{"id":"du_1","status":"\#(word)"}"#)).stage == expected)
  }

  @Test("A payment from before payments named their latest charge has it in a list")
  func oldPaymentIntent() throws {
    let intent = try Stripe.PaymentIntent(
      json(#"{"id":"pi_1","status":"succeeded","charges":{"data":[{"id":"ch_2"},{"id":"ch_1"}]}}"#))
    #expect(intent.latestCharge == "ch_2")
  }

  @Test("A deleted customer has an id and nothing else")
  func deletedCustomer() throws {
    let customer = try Stripe.Customer(json(#"{"id":"cus_1","object":"customer","deleted":true}"#))
    #expect(customer.isDeleted)
    #expect(customer.email == nil)
  }

  @Test("A price says what it sells and how often it is paid")
  func price() throws {
    let price = try Stripe.Price(
      json(
        #"{"id":"price_1","object":"price","product":"prod_1","type":"recurring","recurring":{"interval":"month","interval_count":1},"unit_amount":null,"nickname":"Pro","lookup_key":"pro","active":true}"#
      ))
    #expect(price.product == "prod_1")
    #expect(price.isRecurring)
    #expect(price.interval == "month")
    #expect(price.unitAmount == nil)
    #expect(price.lookupKey == "pro")
  }

  @Test("What lacks the field a decision rests on is refused, and the field is named")
  func refused() {
    func field<Value>(_ read: () throws(StripeObjectError) -> Value) -> String? {
      do throws(StripeObjectError) {
        _ = try read()
        return nil
      } catch {
        return error.field
      }
    }
    #expect(field { () throws(StripeObjectError) in try Stripe.Invoice(["object": "invoice"]) } == "id")
    #expect(field { () throws(StripeObjectError) in try Stripe.CheckoutSession(["id": "cs_1"]) } == "mode")
    #expect(field { () throws(StripeObjectError) in try Stripe.LineItem(["id": "li_1", "price": nil]) } == "price")
    #expect(field { () throws(StripeObjectError) in try Stripe.Customer("cus_1") } == "object")
  }

  @Test("What is read can be stored and read back unchanged")
  func stored() throws {
    let session = try Stripe.CheckoutSession(
      json(
        #"{"id":"cs_1","mode":"payment","status":"complete","payment_status":"no_payment_required","created":1700000000,"metadata":{"k":"v"}}"#
      ))
    let stored = try JSONCoding.encodedBytes(session)
    #expect(try JSONCoding.decode(Stripe.CheckoutSession.self, from: stored) == session)
    let invoice = try Stripe.Invoice(json(ObjectsShapeTests().renewalSince))
    #expect(try JSONCoding.decode(Stripe.Invoice.self, from: JSONCoding.encodedBytes(invoice)) == invoice)
  }
}
