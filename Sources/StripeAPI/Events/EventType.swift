/// The type of an event, for example `invoice.paid`. Open-ended: Stripe adds types at any time, and an unknown one must
/// be accepted like any other (Stripe docs, "Types of events").
public struct StripeEventType: RawRepresentable, Hashable, Sendable, ExpressibleByStringLiteral {
  /// Stripe's own word.
  public let rawValue: String

  public init(rawValue: String) { self.rawValue = rawValue }
  public init(_ text: String) { self.rawValue = text }
  public init(stringLiteral value: String) { self.rawValue = value }
}

extension StripeEventType: CustomStringConvertible {
  public var description: String { rawValue }
}

extension StripeEventType: Codable {
  public init(from decoder: any Decoder) throws {
    rawValue = try decoder.singleValueContainer().decode(String.self)
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(rawValue)
  }
}
