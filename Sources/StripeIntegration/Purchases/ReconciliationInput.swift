import Foundation
import Identity
import LicenseKitAPI
import StripeAPI

// What happened, as far as a run has to know.

extension Reconciliation {
  /// What a run is told: what came of the action before.
  enum Input: Sendable {
    case loaded(Loaded)
    case customer(Recorded.Customer?)
    case committed(Committed)
    /// As many answers as there were before Stripe refused one, if it did.
    case answered([Answer], Refusal?)
    case credentialReplaced
    case looked([UnitKey: SeenLicense], Refusal?)
    case succeeded(StepOutcome)
    /// - Parameter note: for the timeline.
    case wroteBack(note: String?)
    /// - Parameter found: what attempts had left behind, all of it revoked now.
    case lostRevoked(found: [LicenseID])
    case sawFormer(SeenLicense)
    case foundGone([Existing])
    /// The action failed: what was asked outside was refused, got no answer, or the transaction was undone.
    case refused(Refusal)
    /// Somebody else has the purchase by now, or it turned out to be another one.
    case leaseLost
  }

  /// How the run found its purchase.
  struct Beginning: Hashable, Sendable {
    /// Failures in a row before this run.
    var attempts = 0
    var status: PurchaseStatus?
    var reason: String?
    /// All licenses are to be looked at where they are kept.
    var inspects = false
    /// 0 to 1: spreads the retries of many purchases.
    var jitter = 0.5
  }

  struct Loaded: Sendable {
    var knowledge: Knowledge
    /// Without the buyer's record, which is shared.
    var recorded: Recorded
    var mappings: [Mapping]
    var settings: TenantSettings
  }

  struct Committed: Hashable, Sendable {
    /// Other purchases of the tenant wait for their licenses.
    var othersWait = false
  }

  struct Answer: Sendable {
    let question: Question
    let snapshot: Snapshot
    /// On Stripe's clock: not later than the moment the answer was made.
    let answeredAt: Date
  }
}

/// A license as LicenseKit has it.
struct SeenLicense: Hashable, Sendable {
  let id: LicenseID
  let status: LicenseStatus
  let expiresAt: Date?
  let policy: PolicyID

  init(id: LicenseID, status: LicenseStatus, expiresAt: Date?, policy: PolicyID) {
    (self.id, self.status, self.expiresAt, self.policy) = (id, status, expiresAt, policy)
  }

  init(_ license: License) {
    self.init(id: license.id, status: license.status, expiresAt: license.expiresAt, policy: license.policyID)
  }
}

/// What came of a step that was taken.
struct StepOutcome: Sendable {
  var result: StepResult
  /// The key of a license that was issued just now.
  var key: String?
  var keyHint: String?
  /// What happened, for the timeline; without any secret or buyer's data.
  var note: String?
  /// The license as LicenseKit has it after the step, where that is known.
  var status: LicenseStatus?
  /// What the vendor has not permitted is not done, and not tried again.
  var isLeftOut = false
}

extension Recorded {
  /// The record of a buyer.
  struct Customer: Hashable, Sendable {
    let id: LicenseKitAPI.CustomerID
    /// The name and address it was given last.
    var contact: DesiredCustomer.Contact?
  }
}

extension Step {
  /// Whether an answer says the opposite of what was asked for: then it is not known what is so.
  func isContradicted(by status: LicenseStatus) -> Bool {
    switch self {
    case .suspend: status == .active || status == .gracePeriod
    case .reinstate: status == .suspended
    case .revoke: status != .revoked
    default: false
    }
  }
}
