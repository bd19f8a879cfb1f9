import Foundation
import HTTPTypes
import Identity
import JSON
import ServerKit
import StripeAPI
import StripeHTTP

/// The dispute of a payment in its current state at Stripe, with the texts that it has.
struct EvidenceDispute: Sendable, Hashable {
  let id: Stripe.DisputeID
  let charge: Stripe.ChargeID?
  let status: String
  let reason: String
  let amount: Int64
  let currency: String
  let dueBy: Date?
  let hasEvidence: Bool
  /// Its texts by field name, without empty ones.
  let texts: [String: String]

  init?(_ value: JSONValue) {
    guard let id = value["id"]?.string else { return nil }
    self.id = Stripe.DisputeID(id)
    charge = value["charge"]?.string.map { Stripe.ChargeID($0) } ?? value["charge"]?["id"]?.string.map { .init($0) }
    status = value["status"]?.string ?? "unknown"
    reason = value["reason"]?.string ?? "general"
    amount = value["amount"]?.integer ?? 0
    currency = value["currency"]?.string ?? ""
    let details = value["evidence_details"]
    dueBy = details?["due_by"]?.integer.map { Date(timeIntervalSince1970: TimeInterval($0)) }
    hasEvidence = details?["has_evidence"]?.bool ?? false
    var texts: [String: String] = [:]
    for name in value["evidence"]?.object?.keys ?? [] {
      if let text = value["evidence"]?[name]?.string, !text.isEmpty { texts[name] = text }
    }
    self.texts = texts
  }

  /// Whether Stripe still takes evidence: for a dispute or an inquiry that waits for the merchant.
  var isAnswerable: Bool { status == "needs_response" || status == "warning_needs_response" }
}

extension StripeSession {
  /// The dispute of a payment to show: one that waits for an answer, else the newest.
  /// - Throws: 404 `NO_DISPUTE`.
  func evidenceDispute(of payment: String) async throws -> EvidenceDispute {
    let list =
      payment.hasPrefix("pi_")
      ? try await disputes(paymentIntent: .init(payment)) : try await disputes(charge: .init(payment))
    let disputes = list.items.compactMap(EvidenceDispute.init)
    guard let dispute = disputes.first(where: \.isAnswerable) ?? disputes.first else {
      throw APIFailure(
        .notFound, code: "NO_DISPUTE", message: "Nothing was found.", detail: "Stripe has no dispute of \(payment)")
    }
    return dispute
  }

  /// Who paid a disputed charge.
  func evidenceBuyer(of dispute: EvidenceDispute) async throws(StripeError) -> EvidenceBuyer {
    guard let charge = dispute.charge else { return EvidenceBuyer(name: nil, email: nil) }
    let value = try await self.charge(charge).value
    let details = value["billing_details"]
    return EvidenceBuyer(
      name: details?["name"]?.saying,
      email: details?["email"]?.saying ?? value["receipt_email"]?.saying)
  }
}
