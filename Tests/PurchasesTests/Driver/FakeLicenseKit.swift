import Foundation
import Identity
import LicenseKitAPI
import StripeAPI

@testable import Purchases

/// What LicenseKit keeps, with its refusals; a value.
struct FakeLicenseKit {
  struct License {
    let name: String
    let tenant: Tenant
    let unit: UnitKey
    let order: OrderID?
    let subscription: LicenseKitAPI.SubscriptionID?
    let policy: PolicyID
    var status = Recorded.Unit.Status.active
    var expiresAt: Date?
    var features: [FeatureID: Int64?] = [:]
    /// The licenses that were suspended when this one was made, and could have been reinstated instead.
    var idleWhenMade: Set<LicenseID> = []
    /// Told once, to whoever has it made.
    var key = ""

    /// As LicenseKit shows it.
    func seen(at moment: Date) -> LicenseStatus { .init(recorded: status, expiresAt: expiresAt, now: moment) }

    func isUsable(at moment: Date) -> Bool { status == .active && expiresAt.map { $0 > moment } ?? true }
  }

  /// Whether creating understands an Idempotency-Key. The published contract does not.
  let isIdempotent: Bool
  private(set) var licenses: [LicenseID: License] = [:]
  /// Customers, subscriptions and orders: their ids by the names under which they were made.
  private(set) var records: [String: String] = [:]
  private var answers: [String: (id: LicenseID, key: String)] = [:]
  private var counter = 0
  /// Calls that a real server refuses for what they ask, so that a purchase would stand still.
  private(set) var refusals: [String] = []

  init(isIdempotent: Bool) { self.isIdempotent = isIdempotent }

  // MARK: Records

  func has(_ id: String) -> Bool { records.values.contains(id) }

  /// Makes a record, or finds the one of that name.
  mutating func make(_ name: String) -> String {
    if let known = records[name] { return known }
    counter += 1
    let id = "rec_\(counter)"
    records[name] = id
    return id
  }

  /// Loses a record or a license, as a server does that was restored.
  mutating func lose(_ choice: Int) {
    let names = records.keys.sorted()
    let mortal = licenses.keys.sorted()
    guard names.count + mortal.count > 0 else { return }
    let place = choice % (names.count + mortal.count)
    if place < names.count { records[names[place]] = nil } else { licenses[mortal[place - names.count]] = nil }
  }

  // MARK: Licenses

  mutating func create(_ license: License, key: String) -> (id: LicenseID, key: String) {
    if isIdempotent, let known = answers[key] { return known }
    counter += 1
    let made = (id: LicenseID("lic_\(counter)"), key: "key_\(counter)")
    var license = license
    license.key = made.key
    license.idleWhenMade = Set(
      licenses.filter { $0.value.tenant == license.tenant && $0.value.status == .suspended }.keys)
    licenses[made.id] = license
    answers[key] = made
    return made
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

  /// Revokes what other attempts to issue a license have made, found as `StepRunner` finds it.
  @discardableResult
  mutating func revokeOrphans(
    of name: String, besides kept: LicenseID?, order: OrderID?, subscription: LicenseKitAPI.SubscriptionID?
  ) -> [LicenseID] {
    let found = licenses.filter { id, license in
      id != kept && license.name == name
        && (subscription != nil ? license.subscription == subscription : order != nil && license.order == order)
    }.keys.sorted()
    for id in found { revoke(id) }
    return found
  }

  private mutating func refuse(_ what: String, _ id: LicenseID) {
    let license = licenses[id]
    refusals.append(
      "\(what) of \(license?.name ?? id.rawValue), which is \(license.map { "\($0.status)" } ?? "unknown")")
  }

  /// What was refused in the course of trouble is no fault.
  mutating func forgetRefusals() { refusals = [] }
}
