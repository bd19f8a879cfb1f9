public import Identity
import JSON
public import StripeAPI

// Evidence for disputes. Nothing here submits it: a person decides that, in Stripe.

extension StripeSession {
  /// The disputes of a payment, newest first.
  public func disputes(paymentIntent: Stripe.PaymentIntentID) async throws(StripeError) -> StripeList {
    try await list(["disputes"], ["payment_intent": .string(paymentIntent.rawValue)])
  }

  /// Adds evidence to a dispute as a draft. Other fields stay as they are (API reference, "Update a dispute").
  ///
  /// - Parameters:
  ///   - fields: Stripe's names of evidence fields with their text, or with the id of a file for those that take one. A
  ///     text has at most 20 000 characters, all together 150 000.
  ///   - idempotencyKey: the same for every attempt at staging the same evidence.
  public func stageEvidence(
    _ dispute: Stripe.DisputeID, _ fields: [(String, String)], idempotencyKey: String
  ) async throws(StripeError) -> StripeAnswer {
    // If it were left out, `submit` would be true.
    try await post(
      ["disputes", dispute.rawValue],
      [
        "evidence": .object(FormParameters(fields.map { ($0.0, FormValue.string($0.1)) })), "submit": false,
      ], idempotencyKey: idempotencyKey)
  }

  /// Uploads a PDF that can be attached to a dispute (API reference, "Files", purpose `dispute_evidence`). Stripe takes
  /// at most 5 MB.
  ///
  /// - Returns: `file_…`
  public func uploadEvidence(
    _ document: [UInt8], named name: String, idempotencyKey: String
  ) async throws(StripeError) -> String {
    let form = MultipartForm(
      fields: [("purpose", "dispute_evidence")], file: document, named: name, type: "application/pdf")
    let answer = try await upload(form, idempotencyKey: idempotencyKey)
    guard let id = answer.value["id"]?.string else {
      throw StripeError(
        status: 200, message: "the answer names no file", requestID: answer.requestID, retry: .retry(after: nil))
    }
    return id
  }
}
