import JSON

/// Stripe's texts in a form that is safe for logs and pages: Stripe repeats parts of the request in its messages.
package enum BoundedText {
  private static let text = OutsideText(
    withholding: ["sk_", "rk_", "pk_", "ac_", "rt_", "whsec_", "absec_", "ek_", "uk_"])

  /// A message, on one line.
  package static func message(_ message: String) -> String { text.line(message) }

  /// A word of Stripe's vocabulary: a code, a type, a parameter's name.
  package static func word(_ word: String?) -> String? { text.word(word) }
}
