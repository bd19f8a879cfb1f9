import Foundation
import Identity
import LicenseKitAPI
import Postgres
import StripeAPI

// What becomes of the records when LicenseKit refuses a step.

extension ReconcilerRun {
  /// Leaves the records as they were before a step that LicenseKit refused without doing anything: nothing is in doubt.
  func takeBack(
    _ step: Step, _ before: Recorded, _ refusal: LicenseKitError, _ runner: StepRunner
  ) async throws {
    if case .issue(let unit, _, let generation) = step {
      if before.units[unit.key]?.license == .issuing {
        guard refusal.retry != .later, refusal.retry != .credential else { return }
        try await giveUp(unit, generation: generation, before, runner)
      } else {
        try await write { store in
          if before.units[unit.key] == nil {
            try await store.forget(unit.key)
          } else {
            try await store.restore(unit.key, before)
          }
        }
      }
    } else if let key = step.changedLicense, let unit = before.units[key], unit.unsettled == nil {
      try await write { store in try await store.restore(key, before) }
    }
  }

  /// An earlier attempt may have made the license that is refused now. What it left behind is revoked; then the license
  /// that was to be replaced stands again, so that it is not out of reach while the mapping is being corrected.
  private func giveUp(
    _ unit: DesiredUnit, generation: Int, _ before: Recorded, _ runner: StepRunner
  ) async throws {
    try await runner.revokeLost(unit, generation: generation, before)
    guard let known = before.units[unit.key] else { return }
    guard let former = known.replaced.last else {
      if generation == 1 { try await write { store in try await store.forget(unit.key) } }
      return
    }
    let license = try await runner.licenseKit.getLicense(former)
    let status: Recorded.Unit.Status =
      switch license.status {
      case .revoked: .revoked
      case .suspended: .suspended
      case .active, .gracePeriod, .expired: .active
      }
    var restored = before
    restored.units[unit.key] = Recorded.Unit(
      generation: generation, license: .issued(former, status: status, expiresAt: license.expiresAt, features: []),
      policy: license.policyID, replaced: known.replaced.dropLast())
    let records = restored
    try await write { store in try await store.restore(unit.key, records) }
  }

  /// Forgets reinstatements by hand that have done their service.
  func forgetOvertaken(_ decision: Decision, _ recorded: inout Recorded) async throws {
    let overtaken = recorded.overtakenReinstatements(by: decision)
    guard !overtaken.isEmpty else { return }
    for key in overtaken { recorded.units[key]?.byHand.remove(.reinstated) }
    let after = recorded
    try await write { store in for key in overtaken { try await store.observe(key, after) } }
  }

  private func write(_ body: @escaping @Sendable (RecordStore) async throws -> Void) async throws {
    try await reconciler.database.transaction(for: lease.tenant) { [lease] transaction in
      try await lease.hold(in: transaction)
      try await body(RecordStore(tenant: lease.tenant, purchase: lease.purchase, transaction: transaction))
    }
  }
}
