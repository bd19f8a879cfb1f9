/// The two shapes in which objects are shown: up to acacia, and since 2025-03-31 (Stripe changelog, basil).
enum Shape: String, CaseIterable, Sendable {
  case old
  case new
}

/// A value of `Stripe-Version`: a date, since 2024-09-30 followed by a release name.
struct APIVersion: Hashable, Sendable {
  let text: String

  static let newest = APIVersion(checked: "2026-08-26.dahlia")
  static let firstNew = "2025-03-31"
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
  var shape: Shape { date >= Self.firstNew ? .new : .old }
  var hasInvoicePaymentEvents: Bool { date >= Self.firstInvoicePaymentEvent }
}
