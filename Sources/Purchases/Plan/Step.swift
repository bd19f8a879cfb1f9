package import Foundation
import Identity
package import LicenseKitAPI
package import StripeAPI

/// One change in the outside world. Each step is recorded before and after it is taken, and can be repeated without harm.
package enum Step: Hashable, Sendable {
  case createCustomer(DesiredCustomer)
  /// Copies a changed name or address.
  case updateCustomer(DesiredCustomer)
  case createSubscription(DesiredSubscription)
  case updateSubscription(DesiredSubscription)
  case createOrder(DesiredOrder)
  case setOrderStatus(DesiredOrder, OrderStatus)
  /// Issues the license of a unit, or finishes issuing it if an earlier attempt was cut off.
  case issue(DesiredUnit, policy: PolicyID, generation: Int)
  case assignFeature(UnitKey, Terms.FeatureGrant)
  case removeFeature(UnitKey, FeatureID)
  case renew(UnitKey, until: Date, order: String?, subscription: String?)
  case suspend(UnitKey, because: String)
  case reinstate(UnitKey)
  case revoke(UnitKey, because: String)
  /// Ends a license that another one has replaced.
  case revokeReplaced(UnitKey, LicenseID)
  /// Writes ids to a Stripe object as its metadata.
  case writeBack(MetadataTarget, [String: String])

  /// In plain words, for the timeline.
  package var sentence: String {
    switch self {
    case .createCustomer(let customer): "Create customer \(customer.code)"
    case .updateCustomer(let customer): "Update name and address of customer \(customer.code)"
    case .createSubscription(let record): "Create subscription record \(record.externalID)"
    case .updateSubscription(let record): "Update subscription record \(record.externalID) to \(record.status.rawValue)"
    case .createOrder(let order): "Create order \(order.externalID)"
    case .setOrderStatus(let order, let status): "Mark order \(order.externalID) as \(status.rawValue)"
    case .issue(let unit, _, let generation):
      generation == 1
        ? "Issue license \(unit.key.ordinal) of line \(unit.key.line)"
        : "Issue a new license \(unit.key.ordinal) of line \(unit.key.line) in place of the former one"
    case .assignFeature(let key, let grant):
      "Assign feature \(grant.featureID)\(grant.maxConsumptions.map { " with \($0)" } ?? "") to license \(key.ordinal) of line \(key.line)"
    case .removeFeature(let key, let feature):
      "Remove feature \(feature) from license \(key.ordinal) of line \(key.line)"
    case .renew(let key, let until, _, _):
      "Renew license \(key.ordinal) of line \(key.line) until \(until.formatted(.iso8601))"
    case .suspend(let key, let because): "Suspend license \(key.ordinal) of line \(key.line): \(because)"
    case .reinstate(let key): "Reinstate license \(key.ordinal) of line \(key.line)"
    case .revoke(let key, let because): "Revoke license \(key.ordinal) of line \(key.line): \(because)"
    case .revokeReplaced(let key, let license):
      "Revoke \(license), which a new license \(key.ordinal) of line \(key.line) has taken the place of"
    case .writeBack(let target, _): "Write the LicenseKit ids to \(target.stripeID)"
    }
  }

  /// The unit whose license this step changes or replaces.
  var changedLicense: UnitKey? {
    switch self {
    case .issue(let unit, _, _): unit.key
    case .renew(let key, _, _, _), .suspend(let key, _), .reinstate(let key), .revoke(let key, _),
      .assignFeature(let key, _), .removeFeature(let key, _):
      key
    case .createCustomer, .updateCustomer, .createSubscription, .updateSubscription, .createOrder, .setOrderStatus,
      .revokeReplaced, .writeBack:
      nil
    }
  }

  /// Whether the purchase counts as fulfilled without this step.
  package var isOptional: Bool { if case .writeBack = self { true } else { false } }
}
