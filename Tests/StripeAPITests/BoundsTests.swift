import JSON
import Testing

@testable import StripeAPI

@Suite("Numbers from outside")
struct BoundsTests {
  private static let item: JSONObject = [
    "id": "li_1", "object": "item", "price": ["id": "price_1", "product": "prod_1", "type": "one_time"],
  ]

  @Test(
    "quantities and amounts are held where thousands of them can be added up and taken from each other",
    arguments: [Int64.min, -1, 0, 1, 999_999_999, 1_000_000_000, 1_000_000_001, Int64.max])
  func held(_ number: Int64) throws {
    var object = Self.item
    object["quantity"] = .integer(number)
    object["amount_total"] = .integer(number)
    let item = try Stripe.LineItem(.object(object))
    #expect((0...1_000_000_000).contains(item.quantity))
    #expect(abs(item.amountTotal ?? 0) <= 1_000_000_000_000_000)
    if (0...1_000_000_000).contains(number) { #expect(Int64(item.quantity) == number && item.amountTotal == number) }
  }

  @Test("a quantity that metadata names is held as well")
  func metadata() {
    #expect(
      Stripe.NamedSale(["licensekit_stripe_price": "price_1", "licensekit_quantity": "9223372036854775807"])?.quantity
        == 1_000_000_000)
  }
}
