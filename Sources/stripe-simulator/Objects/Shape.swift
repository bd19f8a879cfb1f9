/// The shapes in which objects are shown: up to acacia, since 2025-03-31 (Stripe changelog, basil), and since 2026-09-30,
/// which only adds to it (endive).
enum Shape: String, CaseIterable, Sendable {
  case old
  case new
  case endive

  var isOld: Bool { self == .old }
}

/// A value of `Stripe-Version`: a date, since 2024-09-30 followed by a release name.
struct APIVersion: Hashable, Sendable {
  let text: String

  static let newest = APIVersion(checked: "2026-10-28.endive")
  static let firstNew = "2025-03-31"
  static let firstEndive = "2026-09-30"
  /// Subscriptions get flexible billing unless the request asks for the classic one.
  static let firstFlexible = "2025-09-30"
  /// `invoice_payment.paid` exists since this release.
  static let firstInvoicePaymentEvent = "2025-05-28"

  private init(checked text: String) { self.text = text }

  /// Nil when the text has not the form of a version.
  init?(_ text: String) {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard let date = parts.first, parts.count <= 2, date.utf8.count == 10 else { return nil }
    for (position, byte) in date.utf8.enumerated() {
      let isDash = position == 4 || position == 7
      guard isDash ? byte == UInt8(ascii: "-") : (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else {
        return nil
      }
    }
    if parts.count == 2, parts[1].isEmpty { return nil }
    self.text = text
  }

  var date: String { String(text.prefix(10)) }
  var shape: Shape { date >= Self.firstEndive ? .endive : date >= Self.firstNew ? .new : .old }
  /// What an event calls the merchant (Stripe changelog, 2017-05-25).
  var accountField: String { date < "2017-05-25" ? "user_id" : "account" }
  var isFlexible: Bool { date >= Self.firstFlexible }
  var hasInvoicePaymentEvents: Bool { date >= Self.firstInvoicePaymentEvent }
}
