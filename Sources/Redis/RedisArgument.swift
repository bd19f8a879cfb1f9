/// One word of a command: any bytes, also zeros. A string literal is its UTF-8 text, an integer literal its digits.
public struct RedisArgument: Sendable, Hashable, ExpressibleByStringInterpolation, ExpressibleByIntegerLiteral {
  /// What is sent.
  public let bytes: [UInt8]

  /// Raw bytes.
  public init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// The UTF-8 text.
  public init(_ text: some StringProtocol) { bytes = Array(text.utf8) }

  /// The decimal digits.
  public init(_ number: some BinaryInteger) { bytes = Array(String(number).utf8) }

  /// The shortest decimal text that reads back as the same number.
  public init(_ number: Double) { bytes = Array(number.description.utf8) }

  public init(stringLiteral value: String) { self.init(value) }

  public init(integerLiteral value: Int) { self.init(value) }
}
