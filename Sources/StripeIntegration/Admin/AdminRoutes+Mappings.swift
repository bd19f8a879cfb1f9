import Foundation
import HTTPTypes
import Hummingbird
import Identity
import JSON
import LicenseKitAPI
import Purchases
import ServerKit
import StripeAPI
import Tenancy

extension AdminRoutes {
  func listMappings(_ call: AdminCall) async throws -> Response {
    let request = try PageRequest(call.query)
    let stripeID = try call.query.string("stripe_id", maximumLength: 255)
    let page =
      try await mappings
      .page(of: call.tenant, stripeID: stripeID, before: try request.text(), limit: request.limit + 1)
      .page(request.limit) { PageCursor.encode($0.mapping.id) }
    return try Answer.page(try await views(page.items, call), nextCursor: page.next, context: call.context)
  }

  func getMapping(_ call: AdminCall) async throws -> Response {
    guard let stored = try await mappings.mapping(try call.id("id"), of: call.tenant) else {
      throw APIFailure.notFound()
    }
    return try await answer(stored, call)
  }

  func createMapping(_ call: AdminCall) async throws -> Response {
    let fields = try call.decodeBody(MappingFields.self)
    let terms = try await checkedTerms(fields, of: call.tenant)
    let reference = try fields.reference()
    guard
      let (stored, isNew) = try await mappings.put(
        reference, terms, of: call.tenant,
        audit: { call.entry("mapping.put", $0, detail: "\(reference.stripeID) gives \(terms.product)") })
    else { throw APIFailure.internalError }
    return try await answer(stored, call, status: isNew ? .created : .ok)
  }

  func patchMapping(_ call: AdminCall) async throws -> Response {
    let id = try call.id("id")
    guard let old = try await mappings.mapping(id, of: call.tenant) else { throw APIFailure.notFound() }
    let fields = try MappingFields(old.mapping).patched(with: call.body)
    let terms = try await checkedTerms(fields, of: call.tenant)
    guard
      let stored = try await mappings.replace(
        id, try fields.reference(), terms, of: call.tenant,
        audit: call.entry("mapping.update", id, detail: call.body.keys.joined(separator: ", ")))
    else { throw APIFailure.notFound() }
    return try await answer(stored, call)
  }

  func deleteMapping(_ call: AdminCall) async throws -> Response {
    let id = try call.id("id")
    guard try await mappings.delete(id, of: call.tenant, audit: call.entry("mapping.delete", id)) else {
      throw APIFailure.notFound()
    }
    return Answer.empty()
  }

  private func answer(
    _ stored: StoredMapping, _ call: AdminCall, status: HTTPResponse.Status = .ok
  ) async throws -> Response {
    try Answer.data(try await views([stored], call)[0], status: status, context: call.context)
  }

  /// Mappings as shown, each with a warning if something is wrong with it.
  private func views(_ mappings: [StoredMapping], _ call: AdminCall) async throws -> [MappingView] {
    let warnings = try await database.transaction(for: call.tenant) { transaction in
      try await MappingWarnings(about: mappings, of: call.tenant, in: transaction)
    }
    return mappings.map { MappingView($0, of: call.tenant, warning: warnings[$0]) }
  }

  private func checkedTerms(_ fields: MappingFields, of tenant: Tenant) async throws -> Terms {
    try fields.check()
    let type = try await OutsideFailure.translating {
      try await MappingCheck(licenseKit: try await licenseKit.client(for: tenant)).licenseType(of: fields)
    }
    return fields.terms(licenseType: type)
  }
}

/// A mapping as the admin routes show it.
struct MappingView: Encodable, Sendable {
  let id: String
  let accountID: Stripe.AccountID
  let livemode: Bool
  @OrNull var stripeProductID: Stripe.ProductID?
  @OrNull var stripePriceID: Stripe.PriceID?
  let licensekitProductID: ProductID
  let licensekitPolicyID: PolicyID
  let licenseType: LicenseType
  let quantity: Terms.Quantity
  @OrNull var seatsFeatureID: FeatureID?
  let trial: Bool
  let graceDays: Int
  @OrNull var termDays: Int?
  let onFullRefund: Terms.OnFullRefund
  let onDispute: Terms.OnInterruption
  let onFraudWarning: Terms.OnInterruption
  let onPause: Terms.OnInterruption
  let onCancel: Terms.OnCancel
  let features: [Grant]
  /// Why nothing is sold under it any more; null while all is well.
  @OrNull var warning: String?
  let createdAt: Date
  let updatedAt: Date

  struct Grant: Encodable, Sendable {
    let featureID: FeatureID
    @OrNull var maxConsumptions: Int64?
  }

  init(_ stored: StoredMapping, of tenant: Tenant, warning: String?) {
    let terms = stored.mapping.terms
    id = stored.mapping.id
    accountID = tenant.account
    livemode = tenant.livemode
    switch stored.mapping.reference {
    case .product(let id): (stripeProductID, stripePriceID) = (id, nil)
    case .price(let id): (stripeProductID, stripePriceID) = (nil, id)
    }
    licensekitProductID = terms.product
    licensekitPolicyID = terms.policy
    licenseType = terms.licenseType
    quantity = terms.quantity
    seatsFeatureID = terms.seatsFeature
    trial = terms.trial
    graceDays = terms.graceDays
    termDays = terms.termDays
    onFullRefund = terms.onFullRefund
    onDispute = terms.onDispute
    onFraudWarning = terms.onFraudWarning
    onPause = terms.onPause
    onCancel = terms.onCancel
    features = terms.features.map { Grant(featureID: $0.featureID, maxConsumptions: $0.maxConsumptions) }
    self.warning = warning
    createdAt = stored.createdAt
    updatedAt = stored.updatedAt
  }
}
