import Identity
import LicenseKitAPI

@testable import Purchases

/// What must hold of every history once the queue is empty, each for itself.
enum Invariant: String, CaseIterable {
  case paidForAndUsable = "a unit that is paid for has a usable license"
  case neverMore = "no more units are usable than are paid for, in grace, or let be by the vendor"
  case keysStay = "a key changes only with policy or product, or after a revocation"
  case oneLicenseOfAUnit = "no unit has two licenses that are not revoked"

  func faults(in outcome: Outcome, _ offer: Offer) -> [String] {
    switch self {
    case .paidForAndUsable:
      compared(outcome, offer) { usable, must, _ in usable < must ? "\(usable) usable, \(must) must be" : nil }
    case .neverMore:
      compared(outcome, offer) { usable, _, most in usable > most ? "\(usable) usable, \(most) may be" : nil }
    case .keysStay: keysThatChanged(outcome, offer)
    case .oneLicenseOfAUnit: twins(outcome)
    }
  }

  /// At every checkpoint, by LicenseKit product.
  private func compared(
    _ outcome: Outcome, _ offer: Offer, _ fault: (_ usable: Int, _ must: Int, _ most: Int) -> String?
  ) -> [String] {
    Outcome.checkpoints.flatMap { checkpoint -> [String] in
      let verdict = Oracle(stripe: outcome.stripe, offer: offer, at: outcome.stripe.now + checkpoint).verdict()
      let counts = outcome.usable[checkpoint]?.counts ?? [:]
      return Set(counts.keys).union(verdict.must.keys).sorted().compactMap { product in
        fault(counts[product] ?? 0, verdict.must[product] ?? 0, verdict.most[product] ?? 0)
          .map { "\(product) after \(checkpoint / day) days: \($0)" }
      }
    }
  }

  private func keysThatChanged(_ outcome: Outcome, _ offer: Offer) -> [String] {
    // Another policy is another license.
    if let other = offer.a2, other.policy != offer.a.policy { return [] }
    let licenses = outcome.service.licenses
    return licenses.sorted { $0.key < $1.key }.flatMap { id, license in
      license.idleWhenMade.sorted().compactMap { former -> String? in
        guard let idle = licenses[former], idle.unit.product == license.unit.product, license.status == .active,
          lineage(idle.unit, outcome.stripe) == lineage(license.unit, outcome.stripe)
        else { return nil }
        return "\(id) of \(license.unit) was made although \(former) of \(idle.unit) could go on"
      }
    }
  }

  private func twins(_ outcome: Outcome) -> [String] {
    let standing = outcome.service.licenses.values.filter { $0.status != .revoked }
    var faults = Dictionary(grouping: standing, by: \.unit).filter { $0.value.count > 1 }
      .map { "\($0.value.count) licenses of \($0.key)" }
    // Items that followed each other are one place: of it no ordinal is usable twice.
    let usable = standing.filter { $0.isUsable(at: outcome.date) }
    for (place, licenses) in Dictionary(grouping: usable, by: { lineage($0.unit, outcome.stripe) })
    where Set(licenses.map(\.unit.line)).count > 1 {
      let units = Dictionary(grouping: licenses) { "\($0.unit.product) \($0.unit.ordinal)" }
      faults += units.filter { $0.value.count > 1 }.keys.map { "\(place), \($0) by several items" }
    }
    return faults.sorted()
  }

  /// The first of the items that followed each other, for a line that is a subscription's item.
  private func lineage(_ unit: UnitKey, _ stripe: StripeModel) -> String {
    for subscription in stripe.subscriptions.values {
      let first = subscription.lineage(of: unit.line)
      if first != unit.line { return first }
    }
    return unit.line
  }
}
