import Foundation
import Identity
import JSON
import LicenseKitAPI
import StripeAPI

@testable import Purchases

/// What Stripe tells in single events, and what is decided on it: for objects that the model has no words for.
struct EventFixture {
  static let start: Int64 = 1_800_000_000

  var knowledge = Knowledge()
  var mappings: [Mapping]
  var settings = TenantSettings()

  init(_ change: (inout Terms) -> Void = { _ in }) {
    mappings = [Mapping(id: "m", reference: .product("prod_a"), terms: Offer.terms("lk_a", change))]
  }

  static func effect(
    _ type: String, _ object: JSONValue, at seconds: Int64 = start, settings: TenantSettings = .init()
  ) throws -> EventEffect { try EventTable.effect(of: try event(type, object, at: seconds), settings: settings) }

  static func event(_ type: String, _ object: JSONValue, at seconds: Int64 = start) throws -> StripeEvent {
    try StripeEvent([
      "id": "evt_1", "object": "event", "type": .string(type), "created": .integer(seconds), "livemode": true,
      "account": "acct_1", "data": ["object": object],
    ])
  }

  mutating func hears(_ type: String, _ object: JSONValue, at seconds: Int64 = start) throws {
    guard case .learn(let snapshot, _) = try Self.effect(type, object, at: seconds, settings: settings) else { return }
    knowledge.learn(Fact(snapshot, asOf: Date(timeIntervalSince1970: TimeInterval(seconds)), source: .event))
  }

  func decides(daysLater days: Int64 = 0) -> Decision {
    Decider(
      tenant: Tenant(account: "acct_1", livemode: true), mappings: mappings, pinned: [:], settings: settings,
      now: Date(timeIntervalSince1970: TimeInterval(Self.start + days * day))
    ).decide(knowledge)
  }

  // MARK: Objects

  static func item(
    _ id: String, quantity: Int64? = 1, days: Int64 = 30, usage: String = "licensed", more: [String: JSONValue] = [:]
  ) -> JSONValue {
    var price = JSONObject([
      ("id", .string("price_" + id)), ("object", "price"), ("product", "prod_a"), ("type", "recurring"),
      ("recurring", ["interval": "month", "usage_type": .string(usage)]),
    ])
    for (name, value) in more { price[name] = value }
    return [
      "id": .string(id), "object": "subscription_item", "price": .object(price),
      "quantity": quantity.map { .integer($0) } ?? .null, "current_period_start": .integer(start),
      "current_period_end": .integer(start + days * day),
    ]
  }

  static func subscription(_ items: [JSONValue], status: String = "active", hasMore: Bool = false) -> JSONValue {
    [
      "id": "sub_1", "object": "subscription", "status": .string(status), "customer": "cus_1",
      "items": ["object": "list", "has_more": .bool(hasMore), "data": .array(items)], "latest_invoice": "in_1",
      "created": .integer(start),
    ]
  }

  static func line(
    _ item: String, days: Int64 = 30, amount: Int64 = 1_000, from: Int64 = start, isProration: Bool = false
  ) -> JSONValue {
    [
      "id": .string("il_\(item)_\(from)"), "object": "line_item", "amount": .integer(amount), "quantity": 1,
      "period": ["start": .integer(from), "end": .integer(from + days * day)],
      "pricing": [
        "type": "price_details", "price_details": ["price": .string("price_" + item), "product": "prod_a"],
      ],
      "parent": [
        "type": "subscription_item_details",
        "subscription_item_details": [
          "subscription": "sub_1", "subscription_item": .string(item), "proration": .bool(isProration),
        ],
      ],
    ]
  }

  static func invoice(
    _ lines: [JSONValue], id: String = "in_1", status: String = "paid", reason: String = "subscription_create",
    total: Int64 = 1_000, hasMore: Bool = false, at created: Int64 = start
  ) -> JSONValue {
    [
      "id": .string(id), "object": "invoice", "status": .string(status), "billing_reason": .string(reason),
      "customer": "cus_1", "total": .integer(total), "amount_paid": .integer(status == "paid" ? total : 0),
      "created": .integer(created),
      "parent": ["type": "subscription_details", "subscription_details": ["subscription": "sub_1"]],
      "lines": ["object": "list", "has_more": .bool(hasMore), "data": .array(lines)],
    ]
  }
}
