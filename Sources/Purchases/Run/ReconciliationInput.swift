package import Foundation
import Identity
package import LicenseKitAPI

// What happened, as far as a run must know it.

extension Reconciliation {
  /// What a run is told: the outcome of the previous action.
  package enum Input: Sendable {
    case loaded(Loaded)
    case customer(Recorded.Customer?)
    case committed(Committed)
    /// The answers that came before Stripe refused one, if it did.
    case answered([Answer], Refusal?)
    case credentialReplaced
    case looked([UnitKey: SeenLicense], Refusal?)
    case succeeded(StepOutcome)
    /// - Parameter note: for the timeline.
    case wroteBack(note: String?)
    /// - Parameter found: what attempts had left behind; all of it is revoked now.
    case lostRevoked(found: [LicenseID])
    case sawFormer(SeenLicense)
    case foundGone([Existing])
    /// The action failed: an outside call was refused or got no answer, or the transaction was undone.
    case refused(Refusal)
    /// Another worker has the purchase by now, or it turned out to be another one.
    case leaseLost
  }

  /// The state in which the run found its purchase.
  package struct Beginning: Hashable, Sendable {
    /// Failures in a row before this run.
    package var attempts = 0
    package var status: PurchaseStatus?
    package var reason: String?
    /// All licenses are to be looked at in LicenseKit.
    package var inspects = false
    /// 0 to 1: spreads the retries of many purchases.
    package var jitter = 0.5

    package init(
      attempts: Int = 0, status: PurchaseStatus? = nil, reason: String? = nil, inspects: Bool = false,
      jitter: Double = 0.5
    ) {
      self.attempts = attempts
      self.status = status
      self.reason = reason
      self.inspects = inspects
      self.jitter = jitter
    }
  }

  package struct Loaded: Sendable {
    package var knowledge: Knowledge
    /// Without the buyer's record, which is shared.
    package var recorded: Recorded
    package var mappings: [Mapping]
    package var settings: TenantSettings

    package init(knowledge: Knowledge, recorded: Recorded, mappings: [Mapping], settings: TenantSettings) {
      self.knowledge = knowledge
      self.recorded = recorded
      self.mappings = mappings
      self.settings = settings
    }
  }

  package struct Committed: Hashable, Sendable {
    /// Other purchases of the tenant wait for their licenses.
    package var othersWait = false

    package init(othersWait: Bool = false) {
      self.othersWait = othersWait
    }
  }

  package struct Answer: Sendable {
    package let question: Question
    package let snapshot: Snapshot
    /// On Stripe's clock, and not later than the moment of the answer.
    package let answeredAt: Date

    package init(question: Question, snapshot: Snapshot, answeredAt: Date) {
      self.question = question
      self.snapshot = snapshot
      self.answeredAt = answeredAt
    }
  }
}

/// A license in its state at LicenseKit.
package struct SeenLicense: Hashable, Sendable {
  package let id: LicenseID
  package let status: LicenseStatus
  package let expiresAt: Date?
  package let policy: PolicyID

  package init(id: LicenseID, status: LicenseStatus, expiresAt: Date?, policy: PolicyID) {
    (self.id, self.status, self.expiresAt, self.policy) = (id, status, expiresAt, policy)
  }

  package init(_ license: License) {
    self.init(id: license.id, status: license.status, expiresAt: license.expiresAt, policy: license.policyID)
  }
}

/// The outcome of a step.
package struct StepOutcome: Sendable {
  package var result: StepResult
  /// The key of a license that was just issued.
  package var key: String?
  package var keyHint: String?
  /// What happened, for the timeline; without any secret or buyer's data.
  package var note: String?
  /// The state of the license at LicenseKit after the step, if that is known.
  package var status: LicenseStatus?
  /// The vendor has not permitted it: it is not done and not tried again.
  package var isLeftOut = false

  package init(
    result: StepResult, key: String? = nil, keyHint: String? = nil, note: String? = nil, status: LicenseStatus? = nil,
    isLeftOut: Bool = false
  ) {
    self.result = result
    self.key = key
    self.keyHint = keyHint
    self.note = note
    self.status = status
    self.isLeftOut = isLeftOut
  }
}

extension Recorded {
  /// The record of a buyer.
  package struct Customer: Hashable, Sendable {
    package let id: LicenseKitAPI.CustomerID
    /// The name and address it was last given.
    package var contact: DesiredCustomer.Contact?

    package init(id: LicenseKitAPI.CustomerID, contact: DesiredCustomer.Contact? = nil) {
      self.id = id
      self.contact = contact
    }
  }
}

extension Step {
  /// Whether an answer says the opposite of what was asked for. Then the real state is not known.
  func isContradicted(by status: LicenseStatus) -> Bool {
    switch self {
    case .suspend: status == .active || status == .gracePeriod
    case .reinstate: status == .suspended
    case .revoke: status != .revoked
    default: false
    }
  }
}
