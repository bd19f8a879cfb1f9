import Identity
import LicenseKitAPI

@testable import Purchases

/// What the vendor has mapped.
struct Offer: Hashable, Sendable, CustomStringConvertible {
  var a = Offer.terms("lk_a")
  /// Overrides `a` for price_a2.
  var a2: Terms?
  var b = Offer.terms("lk_b")
  /// Sold together with `b`.
  var bundled: Terms?
  /// Sold once, alone or beside a subscription.
  var addOn = Offer.terms("lk_d") { $0.licenseType = .perpetual }

  static func terms(_ product: String, _ change: (inout Terms) -> Void = { _ in }) -> Terms {
    var terms = Terms(
      product: .init(product), policy: .init("policy_" + product), licenseType: .subscription,
      seatsFeature: FeatureID("seats"), features: [.init(featureID: .init("base"), maxConsumptions: nil)])
    change(&terms)
    return terms
  }

  var mappings: [Mapping] {
    var mappings = [
      Mapping(id: "m_a", reference: .product("prod_a"), terms: a),
      Mapping(id: "m_b", reference: .product("prod_b"), terms: b),
      Mapping(id: "m_d", reference: .product("prod_c"), terms: addOn),
    ]
    if let a2 { mappings.append(Mapping(id: "m_a2", reference: .price("price_a2"), terms: a2)) }
    if let bundled { mappings.append(Mapping(id: "m_c", reference: .product("prod_b"), terms: bundled)) }
    return mappings
  }

  /// Everything a price gives.
  func terms(of price: String) -> [Terms] {
    switch price {
    case "price_a1", "price_a1y", Catalog.fee: [a]
    case "price_a2": [a2 ?? a]
    case "price_b1", "price_b1y": [b] + (bundled.map { [$0] } ?? [])
    case Catalog.addOn: [addOn]
    default: []
    }
  }

  var description: String {
    [("a", a), ("a2", a2), ("b", b), ("bundled", bundled), ("add-on", addOn)].compactMap { name, terms in
      terms.map {
        "  \(name): \($0.quantity) \($0.licenseType) trial=\($0.trial) grace=\($0.graceDays) term=\($0.termDays ?? 0) "
          + "refund=\($0.onFullRefund) dispute=\($0.onDispute) pause=\($0.onPause) cancel=\($0.onCancel)"
      }
    }.joined(separator: "\n")
  }
}
