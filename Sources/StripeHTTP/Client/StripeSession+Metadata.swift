import Identity
public import StripeAPI

extension StripeSession {
  /// Sets metadata of an object. Other keys stay; an empty value deletes its key.
  ///
  /// Stripe sends an `*.updated` event back for most objects, so write only what differs, and recognise the event
  /// (`StripeEvent.changesOnlyMetadata`).
  ///
  /// - Parameter idempotencyKey: the same for every attempt to write the same values, and another for other values.
  public func updateMetadata(
    of target: MetadataTarget, _ metadata: [String: String], idempotencyKey: String
  ) async throws(StripeError) -> StripeAnswer {
    if let problem = StripeMetadata.problem(in: metadata) {
      throw StripeError(message: problem, param: "metadata", retry: .invalid, attempts: 0)
    }
    // Sorted, so that the same values give the same bytes: Stripe refuses a key that comes again with other bytes.
    let values = metadata.sorted { $0.key < $1.key }.map { ($0.key, FormValue.string($0.value)) }
    return try await post(target.path, ["metadata": .object(FormParameters(values))], idempotencyKey: idempotencyKey)
  }
}

extension MetadataTarget {
  /// The path of the object.
  var path: [String] {
    switch self {
    case .customer(let id): ["customers", id.rawValue]
    case .subscription(let id): ["subscriptions", id.rawValue]
    case .invoice(let id): ["invoices", id.rawValue]
    case .checkoutSession(let id): ["checkout", "sessions", id.rawValue]
    case .paymentIntent(let id): ["payment_intents", id.rawValue]
    }
  }
}
