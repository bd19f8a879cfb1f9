import Foundation
import Identity
import JSON
import StripeAPI
import Testing

@testable import Purchases

/// The worked examples of `docs/entitlement.md`, as they stand in `docs/entitlement/examples.json`.
struct WorkedExample: Decodable, Sendable, CustomTestStringConvertible {
  struct Item: Decodable, Sendable {
    let price: String
    let quantity: Int64
    let from: Double
    let to: Double
    let unit_amount: Int64?
    let interval: String?
  }
  struct Entry: Decodable, Sendable {
    let price: String
    let quantity: Int?
    let from: Double
    let to: Double
    let amount: Int64
    let change: Bool?
    let invoice: String?
    let paid: Double?
    let owed: Double?
    let under_way: Double?
    let waived: Bool?
    let returned: String?
  }

  let name: String
  let status: String
  let grace_days: Int
  let item: Item
  let entries: [Entry]
  let units: [[String: Answer]]

  /// A number of units, a day, or a word why.
  enum Answer: Decodable, Sendable {
    case number(Double)
    case text(String)

    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      if let number = try? container.decode(Double.self) {
        self = .number(number)
      } else {
        self = .text(try container.decode(String.self))
      }
    }

    var number: Double? { if case .number(let value) = self { value } else { nil } }
  }

  var testDescription: String { name }

  static let all: [WorkedExample] = {
    struct File: Decodable { let examples: [WorkedExample] }
    var root = URL(filePath: #filePath)
    while root.path != "/", !FileManager.default.fileExists(atPath: root.appending(path: "Package.swift").path) {
      root.deleteLastPathComponent()
    }
    do {
      let data = try Data(contentsOf: root.appending(path: "docs/entitlement/examples.json"))
      return try JSONDecoder().decode(File.self, from: data).examples
    } catch {
      preconditionFailure("docs/entitlement/examples.json: \(error)")
    }
  }()

  static let beginning: Int64 = 1_700_000_000
  static func date(_ day: Double) -> Date {
    Date(timeIntervalSince1970: TimeInterval(beginning) + (day * 86_400).rounded())
  }

  var ledger: [Ledger.Entry] {
    entries.enumerated().map { index, entry in
      let coverage: Ledger.Coverage =
        if let paid = entry.paid {
          .paid(at: Self.date(paid))
        } else if let owed = entry.owed {
          .owed(since: Self.date(owed))
        } else if let late = entry.under_way {
          .underWay(lateFrom: Self.date(late))
        } else {
          .waived
        }
      return Ledger.Entry(
        id: "il_\(index)", invoice: Stripe.InvoiceID(entry.invoice ?? "in_\(index)_own"), item: nil,
        price: Stripe.PriceID(entry.price), product: nil, quantity: entry.quantity ?? 1, amount: entry.amount,
        span: Span(start: Self.date(entry.from), end: Self.date(entry.to)),
        direction: entry.amount < 0 ? .credit : .charge, isChange: entry.change ?? false,
        billed: Self.date(entry.from), coverage: coverage, returned: entry.returned == "all" ? .all : .nothing)
    }
  }

  func subscription() throws -> Stripe.Subscription {
    var price = JSONObject([("id", .string(item.price)), ("product", "prod"), ("object", "price")])
    if let amount = item.unit_amount { price["unit_amount"] = .integer(amount) }
    if let interval = item.interval { price["recurring"] = ["interval": .string(interval), "interval_count": 1] }
    let start = Int64(Self.date(item.from).timeIntervalSince1970)
    let end = Int64(Self.date(item.to).timeIntervalSince1970)
    return try Stripe.Subscription([
      "id": "sub_1", "object": "subscription", "status": .string(status), "created": .integer(Self.beginning),
      "latest_invoice": "in_1",
      "items": [
        "object": "list",
        "data": [
          [
            "id": "si_1", "price": .object(price), "quantity": .integer(item.quantity),
            "current_period_start": .integer(start), "current_period_end": .integer(end),
          ]
        ],
      ],
    ])
  }

  /// How many units of a price are granted on a day.
  func granted(_ price: String, day: Double) throws -> Int {
    let subscription = try subscription()
    let lineage = Purchases.Lineage(names: ["si_1"], item: subscription.items.first, entries: ledger)
    let time = Purchases.PaidTime(
      lineage: lineage, others: [], subscription: subscription,
      terms: Offer.terms("lk") { $0.graceDays = grace_days }, isCurrent: price == item.price,
      gives: { wanted, _ in wanted?.rawValue == price }, now: Self.date(day))
    return time.find().granted
  }
}

@Suite("The worked examples of docs/entitlement.md")
struct WorkedExampleTests {
  @Test("Each example comes to what it says", arguments: WorkedExample.all)
  func example(_ example: WorkedExample) throws {
    for line in example.units {
      let day = try #require(line["day"]?.number)
      for (price, wanted) in line {
        guard price != "day", let wanted = wanted.number else { continue }
        #expect(try Double(example.granted(price, day: day)) == wanted, "\(price) on day \(day)")
      }
    }
  }

  @Test("Every example asks something")
  func asksSomething() {
    #expect(WorkedExample.all.count >= 15)
    for example in WorkedExample.all { #expect(!example.units.isEmpty, "\(example.name)") }
  }
}
