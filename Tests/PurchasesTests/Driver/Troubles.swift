import Foundation
import Identity
import LicenseKitAPI
import TestRandom
import StripeAPI

@testable import Purchases

/// What goes wrong on the way of a run, by seed. The same seed makes the same trouble.
struct Troubles {
  private var random: SeededRandom

  init(seed: UInt64) { random = SeededRandom(seed: seed) }

  /// How a call to LicenseKit goes wrong.
  enum Call {
    case refused(LicenseKitError, hasEffect: Bool)
    /// Nothing was done, and the answer shows the license as if that were right.
    case leftUndone
  }

  mutating func ofCall() -> Call? {
    guard random.once(in: 7) else { return nil }
    switch random.below(10) {
    case 0...3: return .refused(Self.refusal(random.pick([401, 404, 409, 422, 429])), hasEffect: false)
    case 4: return .leftUndone
    default: return .refused(Self.refusal(random.pick([500, 503, nil])), hasEffect: random.once(in: 2))
    }
  }

  /// - Parameter status: nil when no answer came.
  private static func refusal(_ status: Int?) -> LicenseKitError {
    guard let status else {
      return LicenseKitError(transport: "connection_lost", message: "no answer", mayHaveTakenEffect: true)
    }
    return LicenseKitError(status: status, code: "TROUBLE", message: "no")
  }

  /// How Stripe refuses.
  mutating func ofStripe() -> StripeError? {
    guard random.once(in: 8) else { return nil }
    return StripeError(
      message: "no",
      retry: random.pick([.retry(after: nil), .rateLimited(reason: nil, after: nil), .credential, .permission]))
  }

  /// What LicenseKit wrongly says of a license.
  mutating func ofStatus() -> LicenseStatus? {
    random.once(in: 10) ? random.pick([.active, .suspended, .revoked, .expired]) : nil
  }

  mutating func losesLease() -> Bool { random.once(in: 12) }

  /// Which of LicenseKit's records is lost now, if one is.
  mutating func ofRecords() -> Int? { random.once(in: 6) ? random.below(1_000) : nil }
}

extension Service {
  /// A call to LicenseKit, and what trouble makes of it.
  mutating func call(
    _ step: Step, _ before: Recorded, customer: DesiredCustomer?, now: Date
  ) throws -> StepOutcome {
    let trouble = troubles?.ofCall()
    if case .refused(let error, hasEffect: false)? = trouble { throw error }
    if case .leftUndone? = trouble, let license = step.changedLicense.flatMap({ before.licenseID($0) }),
      let seen = try? kit.seen(license, now: now), step.isContradicted(by: seen.status)
    {
      return StepOutcome(result: .done, status: seen.status)
    }
    let outcome = try kit.take(step, before, customer: customer, of: tenant, now: now)
    if case .refused(let error, hasEffect: true)? = trouble { throw error }
    return outcome
  }
}
