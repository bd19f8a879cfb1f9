import Identity
import Foundation
import LicenseKitAPI

@testable import StripeIntegration

/// Licenses as LicenseKit keeps them, with its refusals; a value.
struct FakeLicenseKit {
  struct License {
    let name: String
    let tenant: Tenant
    let unit: UnitKey
    let order: String?
    let subscription: String?
    var status = Recorded.Unit.Status.active
    var expiresAt: Date?
    var features: [FeatureID: Int64?] = [:]
    /// What stood suspended, and could have been taken up again, when it was made.
    var idleWhenMade: Set<LicenseID> = []

    /// As LicenseKit shows it.
    func seen(at moment: Date) -> LicenseStatus { .init(recorded: status, expiresAt: expiresAt, now: moment) }

    func isUsable(at moment: Date) -> Bool { status == .active && expiresAt.map { $0 > moment } ?? true }
  }

  /// Whether creating understands an Idempotency-Key. The published contract does not.
  let isIdempotent: Bool
  private(set) var licenses: [LicenseID: License] = [:]
  private var answers: [String: LicenseID] = [:]
  private var counter = 0
  /// Calls that a real server refuses, so that a purchase would stand still.
  private(set) var refusals: [String] = []

  init(isIdempotent: Bool) { self.isIdempotent = isIdempotent }

  mutating func create(_ license: License, key: String) -> LicenseID {
    if isIdempotent, let known = answers[key] { return known }
    counter += 1
    let id = LicenseID("lic_\(counter)")
    var license = license
    license.idleWhenMade = Set(
      licenses.filter { $0.value.tenant == license.tenant && $0.value.status == .suspended }.keys)
    licenses[id] = license
    answers[key] = id
    return id
  }

  mutating func renew(_ id: LicenseID, until: Date) {
    guard let license = licenses[id], license.status != .revoked else { return refuse("renew", id) }
    if let expiresAt = license.expiresAt, expiresAt > until { return refuse("renew to an earlier time", id) }
    licenses[id]?.expiresAt = until
  }

  mutating func suspend(_ id: LicenseID) {
    guard let license = licenses[id], license.status != .revoked else { return refuse("suspend", id) }
    licenses[id]?.status = .suspended
  }

  mutating func reinstate(_ id: LicenseID, now: Date) {
    guard let license = licenses[id], license.status != .revoked, license.expiresAt.map({ $0 > now }) ?? true else {
      return refuse("reinstate", id)
    }
    licenses[id]?.status = .active
  }

  mutating func revoke(_ id: LicenseID) { licenses[id]?.status = .revoked }

  mutating func assign(_ grant: Terms.FeatureGrant, to id: LicenseID) {
    licenses[id]?.features[grant.featureID] = grant.maxConsumptions
  }

  mutating func remove(_ feature: FeatureID, from id: LicenseID) { licenses[id]?.features[feature] = nil }

  private mutating func refuse(_ what: String, _ id: LicenseID) {
    let license = licenses[id]
    refusals.append(
      "\(what) of \(license?.name ?? id.rawValue), which is \(license.map { "\($0.status)" } ?? "unknown")")
  }
}
