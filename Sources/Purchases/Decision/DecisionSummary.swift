import Foundation
import Identity
import LicenseKitAPI

extension Terms {
  /// The vendor's choices in plain words.
  package var sentence: String {
    var parts: [String] = []
    switch quantity {
    case .one: parts.append("one license, whatever the quantity")
    case .perUnit: parts.append("a license for each unit")
    case .seats: parts.append("one license whose feature \(seatsFeature?.rawValue ?? "") counts the units")
    }
    parts.append("LicenseKit product \(product) under policy \(policy)")
    if let termDays { parts.append("for \(termDays) days") }
    parts.append(graceDays == 1 ? "1 day of grace" : "\(graceDays) days of grace")
    if !trial { parts.append("trials are not licensed") }
    if onFullRefund != .revoke { parts.append("a full refund: \(onFullRefund.rawValue)") }
    if onDispute != .suspend { parts.append("a dispute: \(onDispute.rawValue)") }
    if onPause != .suspend { parts.append("a pause: \(onPause.rawValue)") }
    if onCancel != .expire { parts.append("a cancellation: \(onCancel.rawValue)") }
    for grant in features {
      parts.append("feature \(grant.featureID)" + (grant.maxConsumptions.map { " with \($0)" } ?? ""))
    }
    return parts.joined(separator: ", ")
  }
}

extension PurchaseStatus {
  /// What was decided, as a sentence.
  package var decided: String {
    switch self {
    case .pending: "Decided: more must be known, or done, first."
    case .waitingPayment: "Decided: nothing is issued before it is paid."
    case .waitingMapping: "Decided: this sale waits for a mapping."
    case .fulfilled: "Decided: the buyer has access."
    case .suspended: "Decided: access is withheld."
    case .ended: "Decided: the sale is over, or sold nothing that is licensed."
    case .failed: "Decided: a person must look at this."
    }
  }
}

extension Decision {
  static let mostLinesDescribed = 20

  /// Why it was decided so: the reason, then for each line its mapping, terms, entitlement and end. Equal decisions give
  /// equal text, so that an unchanged one is not told again.
  package var summary: String? {
    var parts = [reason].compactMap { $0 }
    parts += lines.prefix(Self.mostLinesDescribed).map(\.summary)
    if lines.count > Self.mostLinesDescribed {
      parts.append("And \(lines.count - Self.mostLinesDescribed) more lines.")
    }
    return parts.isEmpty ? nil : parts.joined(separator: "\n")
  }
}

extension DesiredLine {
  /// "Line si_1 (price_1 of prod_1 × 2): active, paid through 2026-12-01 00:00 UTC. Mapping map_1: a license for each unit, …"
  package var summary: String {
    let what = [price?.rawValue, stripeProduct.map { "of \($0)" }].compactMap { $0 }.joined(separator: " ")
    let paid = paidThrough.map { ", paid through \($0.inWords)" } ?? ""
    return "Line \(key.line) (\(what.isEmpty ? "" : "\(what) ")× \(quantity)): \(entitlement)\(paid). "
      + "Mapping \(pinnedTerms.mappingID): \(pinnedTerms.terms.sentence)."
  }

  private var entitlement: String {
    if unpaid != nil { return "nothing is paid yet" }
    guard let access = units.first?.access else { return "entitles to nothing" }
    let licenses = units.count == 1 ? "1 license" : "\(units.count) licenses"
    switch access {
    case .active: return "\(licenses), active"
    case .suspended(let causes):
      return "\(licenses), withheld because \(causes.sorted().map(\.sentence).joined(separator: " and because "))"
    case .ended: return "over"
    case .revoked: return "revoked"
    }
  }
}
