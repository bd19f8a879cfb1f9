public import Identity

/// An object whose metadata this program may write.
public enum MetadataTarget: Hashable, Sendable {
  case customer(Stripe.CustomerID)
  case subscription(Stripe.SubscriptionID)
  case invoice(Stripe.InvoiceID)
  case checkoutSession(Stripe.CheckoutSessionID)
  case paymentIntent(Stripe.PaymentIntentID)

  /// The id of the object.
  public var stripeID: String {
    switch self {
    case .customer(let id): id.rawValue
    case .subscription(let id): id.rawValue
    case .invoice(let id): id.rawValue
    case .checkoutSession(let id): id.rawValue
    case .paymentIntent(let id): id.rawValue
    }
  }
}

/// The limits of metadata (Stripe docs, "Metadata").
public enum StripeMetadata {
  /// The longest key, in characters; `[` and `]` are not allowed in it.
  public static let longestKey = 40
  /// The longest value, in characters.
  public static let longestValue = 500
  /// The most keys of one object.
  public static let mostKeys = 50

  /// What Stripe would refuse, in words without any value; nil when it would take it.
  public static func problem(in metadata: [String: String]) -> String? {
    guard metadata.count <= mostKeys else { return "more than \(mostKeys) keys" }
    for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
      if key.isEmpty || key.unicodeScalars.count > longestKey {
        return "a key is not 1 to \(longestKey) characters long"
      }
      if key.contains("[") || key.contains("]") { return "a key holds a square bracket" }
      if value.unicodeScalars.count > longestValue { return "the value of '\(key)' is longer than \(longestValue)" }
    }
    return nil
  }
}
