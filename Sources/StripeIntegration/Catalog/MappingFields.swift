import Foundation
import Identity
import JSON
import LicenseKitAPI
import Purchases
import ServerKit
import StripeAPI
import Tenancy

/// The fields of a mapping in an admin request.
struct MappingFields: Codable, Sendable {
  var stripeProductID: Stripe.ProductID?
  var stripePriceID: Stripe.PriceID?
  var licensekitProductID: ProductID
  var licensekitPolicyID: PolicyID
  var quantity: Terms.Quantity?
  var seatsFeatureID: FeatureID?
  var trial: Bool?
  var graceDays: Int?
  var termDays: Int?
  var onFullRefund: Terms.OnFullRefund?
  var onDispute: Terms.OnInterruption?
  var onFraudWarning: Terms.OnInterruption?
  var onPause: Terms.OnInterruption?
  var onCancel: Terms.OnCancel?
  var features: [Grant]?

  struct Grant: Codable, Sendable {
    var featureID: FeatureID
    var maxConsumptions: Int64?
  }

  static let longestDays = 36_500
  static let mostFeatures = 50

  /// What the mapping is about.
  /// - Throws: 422 unless exactly one of the two is given.
  func reference() throws(APIFailure) -> Mapping.Reference {
    switch (stripeProductID, stripePriceID) {
    case (let product?, nil):
      guard StripeIDText.isPlausible(product.rawValue) else {
        throw .validation(field: "stripe_product_id", "is not the id of a Stripe product")
      }
      return .product(product)
    case (nil, let price?):
      guard StripeIDText.isPlausible(price.rawValue) else {
        throw .validation(field: "stripe_price_id", "is not the id of a Stripe price")
      }
      return .price(price)
    case (nil, nil):
      throw .validation(field: "stripe_product_id", "is missing, and so is stripe_price_id: one of them is required")
    case (_?, _?):
      throw .validation(field: "stripe_price_id", "cannot be given together with stripe_product_id")
    }
  }

  /// Checks what can be checked without asking Stripe or LicenseKit.
  func check() throws(APIFailure) {
    _ = try reference()
    guard StripeIDText.isPlausible(licensekitProductID.rawValue) else {
      throw .validation(field: "licensekit_product_id", "is not an id")
    }
    guard StripeIDText.isPlausible(licensekitPolicyID.rawValue) else {
      throw .validation(field: "licensekit_policy_id", "is not an id")
    }
    if let graceDays, !(0...Self.longestDays).contains(graceDays) {
      throw .validation(field: "grace_days", "must be 0 to \(Self.longestDays)")
    }
    if let termDays, !(1...Self.longestDays).contains(termDays) {
      throw .validation(field: "term_days", "must be 1 to \(Self.longestDays), or null for no end")
    }
    if quantity == .seats, seatsFeatureID == nil {
      throw .validation(field: "seats_feature_id", "is required when quantity is seats")
    }
    try checkFeatures()
  }

  private func checkFeatures() throws(APIFailure) {
    guard let features else { return }
    guard features.count <= Self.mostFeatures else {
      throw .validation(field: "features", "has more than \(Self.mostFeatures) elements")
    }
    var seen: Set<FeatureID> = []
    for (index, grant) in features.enumerated() {
      guard StripeIDText.isPlausible(grant.featureID.rawValue) else {
        throw .validation(field: "features[\(index)].feature_id", "is not an id")
      }
      guard seen.insert(grant.featureID).inserted else {
        throw .validation(field: "features[\(index)].feature_id", "is given twice")
      }
      if let maximum = grant.maxConsumptions, maximum < 0 {
        throw .validation(field: "features[\(index)].max_consumptions", "must be 0 or more, or null for no limit")
      }
    }
  }

  /// The terms of a sale, with the default for every choice left out.
  func terms(licenseType: LicenseType) -> Terms {
    var terms = Terms(product: licensekitProductID, policy: licensekitPolicyID, licenseType: licenseType)
    terms.quantity = quantity ?? terms.quantity
    terms.seatsFeature = seatsFeatureID
    terms.trial = trial ?? terms.trial
    terms.graceDays = graceDays ?? terms.graceDays
    terms.termDays = termDays
    terms.onFullRefund = onFullRefund ?? terms.onFullRefund
    terms.onDispute = onDispute ?? terms.onDispute
    terms.onFraudWarning = onFraudWarning ?? terms.onFraudWarning
    terms.onPause = onPause ?? terms.onPause
    terms.onCancel = onCancel ?? terms.onCancel
    terms.features = (features ?? []).map { .init(featureID: $0.featureID, maxConsumptions: $0.maxConsumptions) }
    return terms
  }
}

extension MappingFields {
  /// The fields that would write a stored mapping again.
  init(_ mapping: Mapping) {
    let terms = mapping.terms
    self.init(
      licensekitProductID: terms.product, licensekitPolicyID: terms.policy, quantity: terms.quantity,
      seatsFeatureID: terms.seatsFeature, trial: terms.trial, graceDays: terms.graceDays, termDays: terms.termDays,
      onFullRefund: terms.onFullRefund, onDispute: terms.onDispute, onFraudWarning: terms.onFraudWarning,
      onPause: terms.onPause, onCancel: terms.onCancel,
      features: terms.features.map { Grant(featureID: $0.featureID, maxConsumptions: $0.maxConsumptions) })
    switch mapping.reference {
    case .product(let id): stripeProductID = id
    case .price(let id): stripePriceID = id
    }
  }

  /// The mapping with the fields of a patch applied; a field that is `null` in the patch is removed (RFC 7396).
  func patched(with patch: JSONObject) throws -> MappingFields {
    guard var merged = try JSONCoding.encode(self).object else { return self }
    for (key, value) in patch.elements { merged[key] = value.isNull ? nil : value }
    return try JSONBody.decode(MappingFields.self, from: merged)
  }
}
