package import Foundation
import Identity
package import LicenseKitAPI
package import StripeAPI

// What a run wants done, as data. The code that performs an action decides nothing.

extension Reconciliation {
  package enum Action: Sendable {
    // In the database. Consecutive actions of this kind are one transaction.

    /// Read everything that is known and recorded of the purchase.
    case load
    /// The buyer's record is shared between purchases, so it is looked up by its code.
    case findCustomer(code: String)
    case commit([Write])

    // Outside, where an answer may be lost. Everything due is committed before such an action.

    /// Ask Stripe, one question after another.
    case ask([Question])
    /// Stripe refused the credential. Another one may exist, or can be made.
    case replaceCredential
    /// See the state of these licenses at LicenseKit.
    case look([UnitKey: LicenseID])
    case call(Step, before: Recorded)
    case writeBack(MetadataTarget, [String: String])
    /// Revoke what attempts to issue a license may have left behind.
    case revokeLost(DesiredUnit, generation: Int, Recorded)
    case lookAtFormer(LicenseID)
    /// Find out which of these LicenseKit does not have.
    case findGone([Existing])

    /// The run is over.
    case finish(Result)

    package var isOfDatabase: Bool {
      switch self {
      case .load, .findCustomer, .commit: true
      case .ask, .replaceCredential, .look, .call, .writeBack, .revokeLost, .lookAtFormer, .findGone, .finish: false
      }
    }
  }

  /// One thing to write.
  package enum Write: Sendable {
    /// Stripe's answers become facts.
    /// - Parameter asked: what was known when Stripe was asked.
    case learn([Answer], asked: Knowledge)
    /// The terms under which the lines are sold, what has no mapping, what speaks against access, and the decision.
    case adopt(Decision, knowing: [LineKey: Decider.PinnedTerms])
    /// What is known of a payment of this purchase concerns those of other subscriptions: they are looked at.
    case tell([Stripe.SubscriptionID])
    /// What is known of a unit's license.
    case observe(UnitKey, Recorded)
    /// A note that a license was found changed.
    case noteChange(UnitKey, LicenseID, Set<ManualOverride>)
    /// A step is about to be taken.
    case begin(Step, Recorded)
    /// A step was taken.
    case record(Step, StepOutcome, before: Recorded, after: Recorded)
    /// A step was refused, or its answer was lost.
    case fail(Step, String)
    /// Restores a unit's license from before a step that was refused without any effect.
    case restore(UnitKey, Recorded)
    /// The unit has no license.
    case forget(UnitKey)
    /// LicenseKit no longer has these.
    case forgetGone([Existing])
    case note(title: String, detail: String)
    /// Show the state of the purchase while the run still goes on.
    case show(Decision)
    case end(Ending)
  }

  /// How a run leaves its purchase.
  package enum Ending: Sendable {
    case done(Decision, nextLook: Date?)
    case failed(Decision?, reason: String, attempts: Int)
    /// Unchanged, and to be tried again.
    case again(at: Date, attempts: Int, reason: String?)
    /// Unchanged, until a person has acted for the tenant.
    case blocked(TenantUnavailable, attempts: Int)
  }

  /// The outcome of a run.
  package enum Result: Hashable, Sendable {
    case done
    case again(reason: String)
    case outage(Outage)
    case blocked(TenantUnavailable)
    case failed(reason: String)
    /// Another worker has the purchase, or it turned out to be another one: nothing more is written.
    case lost
  }
}

/// Something that LicenseKit once had and may no longer have.
package enum Existing: Hashable, Sendable {
  // What a mapping names
  case product(ProductID)
  case policy(PolicyID)
  case feature(FeatureID)
  // What was made for the purchase
  case customer(code: String, LicenseKitAPI.CustomerID)
  case subscription(Recorded.RecordKey, LicenseKitAPI.SubscriptionID)
  case order(Recorded.RecordKey, OrderID)
  case license(UnitKey, LicenseID)

  package var name: String {
    switch self {
    case .product(let id): "product \(id)"
    case .policy(let id): "policy \(id)"
    case .feature(let id): "feature \(id)"
    case .customer(_, let id): "customer \(id)"
    case .subscription(_, let id): "subscription record \(id)"
    case .order(_, let id): "order \(id)"
    case .license(_, let id): "license \(id)"
    }
  }
}

extension Recorded {
  /// What the terms of the purchase name at LicenseKit.
  package var mapped: [Existing] {
    Set(pinned.values.map(\.terms)).sorted { ($0.product, $0.policy) < ($1.product, $1.policy) }.flatMap { terms in
      let features = terms.features.map(\.featureID) + [terms.seatsFeature].compactMap { $0 }
      return [Existing.product(terms.product), .policy(terms.policy)] + features.map { .feature($0) }
    }
  }

  /// What was made for the purchase and should exist.
  package var made: [Existing] {
    var records = customers.sorted { $0.key < $1.key }.map { Existing.customer(code: $0.key, $0.value) }
    records += subscriptions.sorted { $0.key < $1.key }.map { .subscription($0.key, $0.value.id) }
    records += orders.sorted { $0.key < $1.key }.map { .order($0.key, $0.value.id) }
    records += units.sorted { $0.key < $1.key }.compactMap { key, unit in
      guard case .issued(let id, let status, _, _) = unit.license, status != .revoked else { return nil }
      return .license(key, id)
    }
    return records
  }

  /// LicenseKit no longer has it. A missing license gives no access, so it counts as revoked, and what is due is issued
  /// again.
  package mutating func forget(_ gone: Existing) {
    switch gone {
    case .product, .policy, .feature: break
    case .customer(let code, _):
      customers[code] = nil
      contacts[code] = nil
    case .subscription(let key, _): subscriptions[key] = nil
    case .order(let key, _): orders[key] = nil
    case .license(let key, let id):
      guard case .issued(id, _, let expiresAt, let features)? = units[key]?.license else { return }
      units[key]?.license = .issued(id, status: .revoked, expiresAt: expiresAt, features: features)
      units[key]?.inFlight = nil
    }
  }
}
