import Foundation
import Identity
package import LicenseKitAPI
package import StripeAPI

/// The vendor's choice of what a Stripe product, or one price of it, gives.
package struct Mapping: Hashable, Sendable, Codable {
  /// What the mapping is about. A mapping of a price overrides those of the price's product.
  package enum Reference: Hashable, Sendable, Codable {
    case product(Stripe.ProductID)
    case price(Stripe.PriceID)
  }

  package let id: String
  package let reference: Reference
  package let terms: Terms

  package init(id: String, reference: Reference, terms: Terms) {
    self.id = id
    self.reference = reference
    self.terms = terms
  }

  /// The mappings that apply to a line: those of its price if there are any, else those of its product. Several of them sell
  /// a bundle.
  package static func applying(
    to price: Stripe.PriceID?, product: Stripe.ProductID?, among mappings: [Mapping]
  ) -> [Mapping] {
    func mapped(_ reference: Reference?) -> [Mapping] { mappings.filter { $0.reference == reference } }
    let overrides = mapped(price.map(Reference.price))
    let chosen = overrides.isEmpty ? mapped(product.map(Reference.product)) : overrides
    return chosen.sorted { ($0.terms.product, $0.id) < ($1.terms.product, $1.id) }
  }
}

/// What was sold and what happens to it. Each purchase keeps the terms as they were when it was first fulfilled.
package struct Terms: Hashable, Sendable, Codable {
  package enum Quantity: String, Hashable, Sendable, Codable, CaseIterable {
    /// One license, whatever the quantity.
    case one
    /// A license for each unit.
    case perUnit = "per_unit"
    /// One license with a feature that counts the units.
    case seats
  }
  package enum OnFullRefund: String, Hashable, Sendable, Codable, CaseIterable { case revoke, suspend, keep }
  package enum OnInterruption: String, Hashable, Sendable, Codable, CaseIterable { case suspend, keep }
  package enum OnCancel: String, Hashable, Sendable, Codable, CaseIterable {
    /// At the end of the paid time.
    case expire
    /// At once, and reversible.
    case suspend
    /// At once, for good.
    case revoke
  }
  package struct FeatureGrant: Hashable, Sendable, Codable {
    package let featureID: FeatureID
    /// Nil means without limit.
    package let maxConsumptions: Int64?

    package init(featureID: FeatureID, maxConsumptions: Int64?) {
      self.featureID = featureID
      self.maxConsumptions = maxConsumptions
    }
  }

  package var product: ProductID
  package var policy: PolicyID
  /// The license type of the policy: dated types get an expiry and are renewed.
  package var licenseType: LicenseType
  package var quantity: Quantity
  package var seatsFeature: FeatureID?
  /// Whether a trial is licensed before anything is paid.
  package var trial: Bool
  /// How long a license outlasts its paid time.
  package var graceDays: Int
  /// How long a one-time sale lasts; nil means forever.
  package var termDays: Int?
  package var onFullRefund: OnFullRefund
  package var onDispute: OnInterruption
  package var onFraudWarning: OnInterruption
  package var onPause: OnInterruption
  package var onCancel: OnCancel
  package var features: [FeatureGrant]

  package init(
    product: ProductID, policy: PolicyID, licenseType: LicenseType, quantity: Quantity = .one,
    seatsFeature: FeatureID? = nil, trial: Bool = true, graceDays: Int = 3, termDays: Int? = nil,
    onFullRefund: OnFullRefund = .revoke, onDispute: OnInterruption = .suspend,
    onFraudWarning: OnInterruption = .keep, onPause: OnInterruption = .suspend, onCancel: OnCancel = .expire,
    features: [FeatureGrant] = []
  ) {
    self.product = product
    self.policy = policy
    self.licenseType = licenseType
    self.quantity = quantity
    self.seatsFeature = seatsFeature
    self.trial = trial
    self.graceDays = graceDays
    self.termDays = termDays
    self.onFullRefund = onFullRefund
    self.onDispute = onDispute
    self.onFraudWarning = onFraudWarning
    self.onPause = onPause
    self.onCancel = onCancel
    self.features = features
  }

  /// Only these types have an expiry that a renewal moves (LicenseKit docs, "License types").
  var isDated: Bool { licenseType == .subscription || licenseType == .timeLimited || licenseType == .trial }

  var grace: TimeInterval { TimeInterval(graceDays) * 86_400 }

  /// How long a subscription's license outlasts its paid time while nothing is wrong: the grace, but at least a day, since
  /// the invoice of a renewal is paid about an hour after the period has turned (Stripe docs, "Subscription invoices").
  var outlasting: TimeInterval { max(grace, 86_400) }
}

extension Terms {
  /// Terms that were stored before a choice existed have that choice's default.
  package init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    self.init(
      product: try container.decode(ProductID.self, forKey: .product),
      policy: try container.decode(PolicyID.self, forKey: .policy),
      licenseType: try container.decode(LicenseType.self, forKey: .licenseType),
      quantity: try container.decode(Quantity.self, forKey: .quantity),
      seatsFeature: try container.decodeIfPresent(FeatureID.self, forKey: .seatsFeature),
      trial: try container.decode(Bool.self, forKey: .trial),
      graceDays: try container.decode(Int.self, forKey: .graceDays),
      termDays: try container.decodeIfPresent(Int.self, forKey: .termDays),
      onFullRefund: try container.decode(OnFullRefund.self, forKey: .onFullRefund),
      onDispute: try container.decode(OnInterruption.self, forKey: .onDispute),
      onFraudWarning: try container.decodeIfPresent(OnInterruption.self, forKey: .onFraudWarning) ?? .keep,
      onPause: try container.decode(OnInterruption.self, forKey: .onPause),
      onCancel: try container.decode(OnCancel.self, forKey: .onCancel),
      features: try container.decode([FeatureGrant].self, forKey: .features))
  }
}
