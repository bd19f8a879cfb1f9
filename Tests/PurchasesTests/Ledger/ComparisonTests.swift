import Foundation
import Identity
import JSON
import StripeAPI
import Testing

@testable import Purchases

@Suite("How a subscribed price compares with one that was charged")
struct ComparisonTests {
  /// 1 000 for thirty days, unless said otherwise.
  private func charge(_ amount: Int64 = 1_000, quantity: Int = 1, days: Int? = 30) -> Ledger.Entry {
    let start = Date(timeIntervalSince1970: TimeInterval(EventFixture.start))
    return Ledger.Entry(
      id: "il_1", invoice: "in_1", item: "si_1", price: "price_other", product: nil, quantity: quantity, amount: amount,
      span: days.map { Span(start: start, end: start.addingTimeInterval(TimeInterval($0) * 86_400)) },
      direction: .charge, isChange: false, billed: start, coverage: .paid(at: start), returned: .nothing)
  }

  private func compared(
    _ amount: Int64?, every interval: String = "month", count: Int64 = 1, with charge: Ledger.Entry
  ) throws -> Stripe.Subscription.Item.Comparison {
    let recurring: JSONValue = [
      "interval": .string(interval), "interval_count": .integer(count), "usage_type": "licensed",
    ]
    let item = EventFixture.item(
      "si_1", more: ["unit_amount": amount.map { .integer($0) } ?? .null, "recurring": recurring])
    return try #require(Stripe.Subscription(EventFixture.subscription([item])).items.first).comparedWith(charge)
  }

  @Test("By time, since months are not equally long and periods differ")
  func byTime() throws {
    for (amount, interval, count) in [
      (1_000, "month", 1), (900, "month", 1), (1_150, "month", 1), (12_000, "year", 1), (250, "week", 1),
      (33, "day", 1),
      (3_000, "month", 3), (2_000, "day", 60), (1_000, "month", 0),
    ] as [(Int64, String, Int64)] {
      #expect(try compared(amount, every: interval, count: count, with: charge()) == .alike, "\(amount) a \(interval)")
    }
  }

  @Test("Less or more by a sixth and it is another price")
  func different() throws {
    #expect(try compared(700, with: charge()) == .cheaper)
    #expect(try compared(1_400, with: charge()) == .dearer)
    #expect(try compared(1_000, every: "year", with: charge()) == .cheaper)
    #expect(try compared(1_000, every: "week", with: charge()) == .dearer)
    #expect(try compared(1_000, every: "day", with: charge()) == .dearer)
    #expect(try compared(1_000, count: 3, with: charge()) == .cheaper)
    #expect(try compared(1_000, with: charge(days: 60)) == .dearer)
    #expect(try compared(1_000, with: charge(days: 10)) == .cheaper)
  }

  @Test("For each unit")
  func units() throws {
    #expect(try compared(1_000, with: charge(3_000, quantity: 3)) == .alike)
    #expect(try compared(1_000, with: charge(1_000, quantity: 3)) == .dearer)
    #expect(try compared(1_000, with: charge(3_000, quantity: 1)) == .cheaper)
  }

  @Test("What is not known counts as dearer")
  func unknown() throws {
    #expect(try compared(nil, with: charge()) == .dearer)
    #expect(try compared(100, every: "fortnight", with: charge()) == .dearer)
    #expect(try compared(100, with: charge(quantity: 0)) == .dearer)
    #expect(try compared(100, with: charge(days: nil)) == .dearer)
    #expect(try compared(100, with: charge(days: 0)) == .dearer)
  }
}
